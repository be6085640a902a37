"""Releases that reach users a few percent at a time, and go back by themselves."""
