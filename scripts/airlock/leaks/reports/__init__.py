"""A result as people and machines read it. Pure functions; none of them is given a secret."""
