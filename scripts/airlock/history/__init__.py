"""Take secrets out of a history: plan, rewrite, verify."""
