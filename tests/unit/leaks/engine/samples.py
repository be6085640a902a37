"""Texts that a regex matches, made from its tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.leaks.engine.syntax import Alt, At, Bytes, Cat, Repeat

if TYPE_CHECKING:
    import random

    from airlock.leaks.engine.syntax import Node


def sample(node: Node, rng: random.Random) -> bytes:
    """Return a text that `node` matches, if it is not for a position in it."""
    match node:
        case Bytes(mask):
            every = [byte for byte in range(256) if mask >> byte & 1]
            plain = [byte for byte in every if 32 <= byte < 127]
            return bytes([rng.choice(plain or every or [0])])
        case Repeat(part, least, most):
            limit = least + 40 if most is None else most
            count = rng.choice((least, least, limit, rng.randint(least, limit)))
            return b"".join(sample(part, rng) for _ in range(count))
        case Alt(parts):
            return sample(rng.choice(parts), rng)
        case Cat(parts):
            return b"".join(sample(part, rng) for part in parts)
        case At():
            return b""
