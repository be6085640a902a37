"""A stand-in for GitHub: its REST API with state, and its git over HTTP, on one loopback port.

Written from GitHub's documentation and its published OpenAPI description, never from
`airlock.github`: it is the tests' independent oracle.
"""

from airlock.sandbox.github.gate import Fault
from airlock.sandbox.github.server import GitHubStandIn

__all__ = ["Fault", "GitHubStandIn"]
