"""Which services a commit releases, and how far what serves is behind."""
