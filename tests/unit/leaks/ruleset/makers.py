"""Fake values that are right inside: ``<github:ghp_>`` has a true checksum, ``<jwt>`` a header.

Each maker computes what its format needs by itself, and not with the checks that are tested by it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import string
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    Maker = Callable[[str, random.Random], str]

BASE36 = string.digits + string.ascii_lowercase
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def number(value: int, alphabet: str, width: int = 0) -> str:
    digits = ""
    while value:
        value, digit = divmod(value, len(alphabet))
        digits = alphabet[digit] + digits
    return digits.rjust(width, alphabet[0])


def github(prefix: str, generator: random.Random) -> str:
    """``<github:ghp_>``: 30 characters and their checksum; npm's are the same."""
    body = "".join(generator.choices(BASE62, k=30))
    return prefix + body + number(zlib.crc32(body.encode()), BASE62, 6)


def gitlab(prefix: str, generator: random.Random) -> str:
    """``<gitlab:glpat->``: a routable token of version 1."""
    routing = f"o:1\nu:{number(generator.randrange(1, 10**6), BASE36)}".encode()
    payload = urlsafe(routing + generator.randbytes(16) + b"\x10")
    head = f"{prefix}{payload}.01.{number(len(payload), BASE36, 2)}"
    return head + number(zlib.crc32(head.encode()), BASE36, 7)


def grafana(prefix: str, generator: random.Random) -> str:
    """``<grafana:glsa_>``."""
    head = prefix + "".join(generator.choices(BASE62, k=32))
    return f"{head}_{zlib.crc32(head.encode()).to_bytes(4, 'little').hex()}"


def age(prefix: str, generator: random.Random) -> str:
    """``<bech32:AGE-SECRET-KEY->``: 32 bytes in Bech32, upper case if the prefix is."""
    human = prefix.lower()
    data = [generator.randrange(32) for _ in range(51)] + [generator.choice((0, 16))]
    values = [ord(c) >> 5 for c in human] + [0] + [ord(c) & 31 for c in human] + data
    rest = polymod([*values, 0, 0, 0, 0, 0, 0]) ^ 1
    checksum = [rest >> 5 * (5 - place) & 31 for place in range(6)]
    text = f"{human}1{''.join(CHARSET[value] for value in data + checksum)}"
    return text.upper() if prefix.isupper() else text


def polymod(values: list[int]) -> int:
    """The reference of BIP 173."""
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, term in enumerate([0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3]):
            checksum ^= term if ((top >> bit) & 1) else 0
    return checksum


def wif(prefix: str, generator: random.Random) -> str:
    """``<base58check:80>``: the version bytes in hex, 32 random bytes, and a checksum."""
    data = bytes.fromhex(prefix or "80") + generator.randbytes(32)
    return base58(data)


def xprv(_: str, generator: random.Random) -> str:
    """``<xprv>``: an extended private key (BIP 32)."""
    version, rest = bytes.fromhex("0488ade4"), generator.randbytes(41)
    return base58(version + rest + b"\0" + generator.randbytes(32))


def base58(data: bytes) -> str:
    data += hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4]
    return number(int.from_bytes(data, "big"), BASE58)


def jwt(algorithm: str, generator: random.Random) -> str:
    """``<jwt>`` or ``<jwt:RS256>``."""
    header = urlsafe(json.dumps({"alg": algorithm or "HS256", "typ": "JWT"}).encode())
    claims = {"sub": str(generator.randrange(10**9)), "iat": generator.randrange(10**9)}
    return f"{header}.{urlsafe(json.dumps(claims).encode())}.{urlsafe(generator.randbytes(32))}"


def sentry(prefix: str, generator: random.Random) -> str:
    """``<sentry:sntrys_>``."""
    payload = {"iat": 1.7e9 + generator.random(), "url": "https://sentry.io", "org": "acme"}
    packed = base64.b64encode(json.dumps(payload).encode()).decode()
    secret = base64.b64encode(generator.randbytes(32)).decode().rstrip("=")
    return f"{prefix}{packed}_{secret}"


def packed_json(fields: str, generator: random.Random) -> str:
    """``<json:o,n,k>``: an object of random texts, in base64 without padding."""
    names = fields.split(",")
    values = {name: "".join(generator.choices(BASE62, k=24)) for name in names}
    return base64.b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")


def pypi(_: str, generator: random.Random) -> str:
    """``<pypi>``: a macaroon of pypi.org with one caveat."""
    location, name = b"pypi.org", generator.randbytes(36)
    data = b"\x02\x01" + bytes([len(location)]) + location + b"\x02" + bytes([len(name)]) + name
    return "pypi-" + urlsafe(data + b"\0\0\x06\x20" + generator.randbytes(96))


def encoded(size: str, generator: random.Random) -> str:
    """``<bytes:64>``: that many random bytes in padded base64."""
    return base64.b64encode(generator.randbytes(int(size))).decode()


def discord(_: str, generator: random.Random) -> str:
    """``<discord>``."""
    name = urlsafe(str(generator.randrange(10**17, 10**18)).encode())
    middle = "".join(generator.choices(BASE62, k=6))
    return f"{name}.{middle}.{''.join(generator.choices(BASE62, k=38))}"


def pem(label: str, generator: random.Random) -> str:
    """``<pem:RSA PRIVATE KEY>``: a block whose ASN.1 or OpenSSH frame is right."""
    inside = generator.randbytes(600)
    if "OPENSSH" in label:
        data = b"openssh-key-v1\0" + inside
    elif "PGP" in label:
        data = b"\x95" + inside
    else:
        data = b"\x30\x82" + len(inside).to_bytes(2, "big") + inside
    text = base64.b64encode(data).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    dashes = "-" * 5
    gap = "\n" if "PGP" in label else ""
    return f"{dashes}BEGIN {label}{dashes}\n{gap}{lines}\n{dashes}END {label}{dashes}"


def urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


MAKERS: dict[str, Maker] = {
    "github": github,
    "npm": github,
    "gitlab": gitlab,
    "grafana": grafana,
    "bech32": age,
    "base58check": wif,
    "xprv": xprv,
    "jwt": jwt,
    "sentry": sentry,
    "json": packed_json,
    "pypi": pypi,
    "bytes": encoded,
    "discord": discord,
    "pem": pem,
}
