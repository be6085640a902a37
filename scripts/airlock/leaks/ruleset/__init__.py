"""The rules: what they are, where they come from, how a team adds its own."""
