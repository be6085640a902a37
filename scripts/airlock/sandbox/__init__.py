"""Local stand-ins for what Airlock talks to, so that everything runs without an account.

The sandbox is the tests' independent oracle: it imports nothing of the rooms that it judges, only
`airlock.errors` and `airlock.clock`, and speaks to them over the wire alone.
"""
