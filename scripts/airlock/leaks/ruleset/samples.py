"""Values that their issuers publish as samples: nobody's secret, and in thousands of repositories.

They are kept as hashes, so that nobody's scanner finds them here. What belongs on the list is what
an issuer or a standard prints for all to use; a sample that has a mark, such as ``EXAMPLE``, needs
no place on it.
"""

from __future__ import annotations

import functools
import hashlib
from importlib import resources

_DIGITS = 16


def published(value: bytes) -> bool:
    """Return whether `value`, with or without the padding of base64, is such a sample."""
    return hashlib.sha256(value.rstrip(b"=")).hexdigest()[:_DIGITS] in _hashes()


@functools.cache
def _hashes() -> frozenset[str]:
    text = resources.files("airlock.leaks.ruleset").joinpath("samples.txt").read_text("ascii")
    return frozenset(line for line in text.splitlines() if line and line[0] != "#")
