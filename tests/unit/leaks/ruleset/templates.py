"""Examples without secrets: ``KEY="ghp_<alnum:36>"`` becomes one when a test runs.

``<class:n>`` is n random characters, ``<class:a-b>`` between a and b of them; ``<<`` is a plain
``<``. Classes: see `ALPHABETS`; ``<same:n>`` is one character n times, ``<uuid>``, ``<word>``; and
``<maker:argument>`` for formats with a checksum, see `makers`.
"""

from __future__ import annotations

import random
import re
import string
import uuid

from unit.leaks.ruleset.makers import MAKERS

HEX = "0123456789abcdef"
ALPHABETS = {
    "digit": string.digits,
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "alpha": string.ascii_letters,
    "alnum": string.ascii_letters + string.digits,
    "lownum": string.ascii_lowercase + string.digits,
    "upnum": string.ascii_uppercase + string.digits,
    "hex": HEX,
    "HEX": HEX.upper(),
    "base64": string.ascii_letters + string.digits + "+/",
    "base64url": string.ascii_letters + string.digits + "-_",
    "base32": string.ascii_uppercase + "234567",
    "base58": "".join(sorted(set(string.ascii_letters + string.digits) - set("0OIl"))),
}
WORDS = ("harbour", "lantern", "meadow", "orchid", "pebble", "saddle", "timber", "velvet")
_PLACE = re.compile(r"<<|<([A-Za-z0-9-]+)(?::([^<>]*))?>")


def expand(template: str, seed: str) -> str:
    """Return an example; the same for the same seed in every process.

    Raises:
        KeyError: A class that does not exist.
    """
    generator = random.Random(seed)  # noqa: S311 - reproducible on purpose
    return _PLACE.sub(lambda found: _fill(found, generator), template)


def is_one(text: str) -> bool:
    """Return whether `text` has a place to fill in."""
    return _PLACE.search(text) is not None


def _fill(found: re.Match[str], generator: random.Random) -> str:
    if found[0] == "<<":
        return "<"
    kind, argument = found[1], found[2] or ""
    if kind == "uuid":
        return str(uuid.UUID(int=generator.getrandbits(128), version=4))
    if kind == "word":
        return generator.choice(WORDS)
    if kind in MAKERS:
        return MAKERS[kind](argument, generator)
    least, _, most = argument.partition("-")
    size = generator.randint(int(least), int(most or least))
    if kind == "same":
        return generator.choice(ALPHABETS["alnum"]) * size
    return "".join(generator.choices(ALPHABETS[kind], k=size))
