"""Texts inside texts: what is encoded (`encoded`), and what is packed (`archive`).

Not decoded: base32 (a TOTP seed is a secret as it stands), UTF-7, and what nobody encodes a secret
with but to hide it. Codecs are loaded when one of the names below is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airlock.leaks.decode.encoded import TRIGGERS, Region, regions

__all__ = ["TRIGGERS", "Region", "regions"]


def __getattr__(name: str) -> object:
    """Load the codecs (PEP 562)."""
    if name not in __all__:
        raise AttributeError(name)
    from airlock.leaks.decode import encoded  # noqa: PLC0415 - few scans meet an encoding

    return getattr(encoded, name)
