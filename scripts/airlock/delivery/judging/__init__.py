"""Is the candidate worse: the bets, what they count, and probes for what traffic does not bring."""
