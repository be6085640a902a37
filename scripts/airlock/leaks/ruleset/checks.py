"""What a value's inside says about it: checksums, signatures of formats, structures.

A rule names at most one check. It weighs a value from 1 (just as the issuer makes them) to 0 (the
issuer cannot have made it); the rule's confidence is multiplied by that. Only where the pattern
alone means little does a wrong checksum weigh 0. Elsewhere it weighs `DOUBT`: an issuer may have
changed its scheme, and what somebody mistyped shows what the right one is. Such a finding is less
sure, and blocks or warns as its rule does.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import string
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CERTAIN = 1.0
DOUBT = 0.8
REJECT = 0.0

_BASE36 = string.digits + string.ascii_lowercase
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BASE64_BITS = 6
_HMAC = frozenset(("HS256", "HS384", "HS512"))
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def crc32_base62(secret: str) -> float:
    """Weigh a token of GitHub or npm: CRC32 of the 30 random characters, in base62.

    Sources: "Behind GitHub's new authentication token formats", GitHub blog, 2021-04-05; "npm has a
    new access token format", GitHub changelog, 2021-09-23. Digits before capitals before small
    letters, padded with zeros, is what their published examples show.
    """
    body = secret.rpartition("_")[2]
    return _believe(_number(body[-6:], _BASE62) == zlib.crc32(body[:-6].encode()))


def crc32_gitlab(secret: str) -> float:
    """Weigh a routable GitLab token: ``prefix payload.LLCCCCCCC``, with or without ``.01``.

    L is the payload's length in base36, C the CRC32 of all before it in base36. Source: GitLab
    handbook, "Cells: Routable Tokens", and its ``routable_token.rb``. Other tokens weigh all.
    """
    found = re.fullmatch(r"((.*?)((?:\.[0-9a-z]{2})?\.)([0-9a-z]{2}))([0-9a-z]{7})", secret)
    if not found:
        return CERTAIN
    right = _number(found[5], _BASE36) == zlib.crc32(found[1].encode())
    return _believe(right and secret.isascii())


def crc32_grafana(secret: str) -> float:
    """Weigh a Grafana service account token: ``glsa_<random>_<crc>``.

    The CRC32 of all before the last underscore, its bytes from the least significant on, in hex:
    Grafana's package ``satokengen``, and what tokens shown in public documentation hold.
    """
    head, _, checksum = secret.rpartition("_")
    return _believe(zlib.crc32(head.encode()).to_bytes(4, "little").hex() == checksum.lower())


def bech32(secret: str) -> float:
    """Weigh a Bech32 text, such as an age identity (upper case) or a Nostr key: BIP 173."""
    lower = secret.lower()
    human, one, data = lower.rpartition("1")
    values = [_BECH32.find(character) for character in data]
    if not one or -1 in values or secret not in (lower, secret.upper()):
        return DOUBT
    expanded = [ord(each) >> 5 for each in human] + [0] + [ord(each) & 31 for each in human]
    return _believe(_polymod(expanded + values) == 1)


def base58check(secret: str) -> float:
    """Weigh a Base58Check text, such as a Bitcoin private key (WIF) or an extended key (BIP 32).

    The last four bytes are the beginning of SHA-256 applied twice to the others. Without them such
    a text is any text, so that a wrong checksum weighs nothing.
    """
    number = _number(secret, _BASE58)
    if number is None:
        return REJECT
    zeros = len(secret) - len(secret.lstrip("1"))
    data = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    twice = hashlib.sha256(hashlib.sha256(data[:-4]).digest()).digest()
    return CERTAIN if twice[:4] == data[-4:] else REJECT


def aws_key_id(secret: str) -> float:
    """Weigh an AWS access key id: behind four letters, base32 that begins with the account number.

    Source: Aidan Steele, "AWS Access Key ID formats", 2020; Tal Be'ery, "A short note on AWS KEY
    ID", 2023. AWS documents the prefixes only, so that a 0, 1, 8 or 9 means doubt.
    """
    body = secret[4:]
    return _believe(not set(body) - set(string.ascii_uppercase + "234567"))


def jwt(secret: str) -> float:
    """Weigh a JSON Web Token: its header is a JSON object that names an algorithm.

    RFC 7515, section 4.1.1, and RFC 7516, section 4.1.1: ``alg`` must be there, but tokens without
    it are in use where both sides know it. ``none`` signs nothing, and opens nothing (RFC 7519,
    section 6). A hash is all there or checks nothing: of an HMAC, half of it is asked for, since
    what is broken over two lines may be the token's beginning (RFC 7518, section 3.2).
    """
    header, _, rest = secret.partition(".")
    algorithm = (_json(header) or {}).get("alg")
    if not isinstance(algorithm, str):
        return DOUBT
    if algorithm in _HMAC and rest.count(".") == 1:
        whole = -(-int(algorithm[2:]) // _BASE64_BITS)
        if len(rest.partition(".")[2]) < whole // 2:
            return REJECT
    return REJECT if algorithm.lower() == "none" else CERTAIN


def jwt_alone(secret: str) -> float:
    """Weigh what no name but its shape makes a JSON Web Token: its header must begin as JSON.

    To ask for more would be too much: people change some letters before they show one.
    """
    header = _decoded(secret.partition(".")[0]) or b""
    return jwt(secret) if re.match(rb"\{\s*\"\w+\"\s*:", header) else REJECT


def base64_json(secret: str) -> float:
    """Weigh a token that carries a JSON object in base64, behind its prefix or between two dots.

    So do Sentry's organisation tokens (``sntrys_``, Sentry's ``orgauthtoken_token.py``), Grafana
    Cloud's (``glc_``), 1Password's service accounts (``ops_``) and Mapbox's (``sk.``).
    """
    parts = re.findall(r"eyJ[A-Za-z0-9+/=-]{8,}|eyJ[A-Za-z0-9_-]{8,}", secret)
    return _believe(any(_json(part) is not None for part in parts))


def macaroon(secret: str) -> float:
    """Weigh a PyPI token: ``pypi-`` and a version 2 macaroon whose location is a package index.

    Source: libmacaroons' ``doc/format.txt``: version byte 2, field 1 the location, field 2 the
    identifier, each a type, a length and the bytes; pypitoken's documentation for the location.
    """
    data = _decoded(secret.partition("-")[2])
    return _believe(
        data is not None
        and data[:2] == b"\x02\x01"
        and len(data) > 3 + data[2]
        and data[3 : 3 + data[2]].endswith(b"pypi.org")
        and data[3 + data[2]] == 2  # noqa: PLR2004 - the identifier's field
    )


def canonical_base64(secret: str) -> float:
    """Weigh base64 of whole bytes: the bits that its last character has to spare are zero.

    RFC 4648, section 3.5. Keys of Azure Storage, Cosmos DB or Service Bus are made that way, text
    that merely looks like one is right once in 4 or 16 times. They are random: readable text, as a
    Kubernetes Secret has in base64, is none of them, and may be a secret of another kind.
    """
    data = _decoded(secret)
    if data is None:
        return DOUBT
    if data.isascii() and data.decode().isprintable():
        return REJECT
    again = base64.b64encode(data).decode().rstrip("=")
    return _believe(again == secret.rstrip("=").replace("-", "+").replace("_", "/"))


def jfrog_reference(secret: str) -> float:
    """Weigh a JFrog reference token: base64 of ``reftkn:``, a version, a time and random letters.

    Source: JFrog's documentation, "Access tokens", reference tokens. Other text in base64 is none.
    """
    data = _decoded(secret) or b""
    if re.match(rb"reftkn:\d\d:\d+:", data):
        return CERTAIN
    return REJECT if data.isascii() and data.decode().isprintable() else DOUBT


def discord(secret: str) -> float:
    """Weigh a Discord bot token: its first part is the bot's id in base64, digits only.

    Discord's reference documents ids ("snowflakes"); that the token begins with one is what its
    client libraries rely on.
    """
    data = _decoded(secret.partition(".")[0])
    return _believe(data is not None and data.isdigit())


_BOUNDARY = re.compile(r"-{5}(BEGIN|END) ([A-Z0-9 ]{0,40})-{5}")
_LEAST_KEY = 40


def pem(secret: str) -> float:
    """Weigh a PEM block: whether its base64 holds what its label says.

    RFC 7468: base64 between two lines; a private key is an ASN.1 SEQUENCE (PKCS #1, PKCS #8 or
    SEC 1), whose length its first bytes give (X.690, section 8.1.3), or begins with
    ``openssh-key-v1`` (OpenSSH, ``PROTOCOL.key``). An encrypted one looks the same, or has the
    headers of RFC 1421. A block with no data in it, or with dots for the rest, is an example.
    """
    parts = _BOUNDARY.split(secret)
    label, body = (parts[2], parts[3]) if len(parts) > 3 else ("", secret)  # noqa: PLR2004
    if "PGP" in label:
        # RFC 9580, section 6.2: headers, an empty line, base64, a checksum.
        body = re.sub(r"(?m)^[A-Za-z]+: .*$|^=[A-Za-z0-9+/]{4}\s*$", "", body)
    lines = re.split(r"\\n|\\r|\\u000[aAdD]|[\r\n]", body)
    data = "".join(_base64_of(line) for line in lines if ": " not in line)
    if len(data) < _LEAST_KEY or len(set(data)) < len(string.hexdigits) // 2:
        return REJECT
    decoded = _decoded(data[: len(data) // 4 * 4].rstrip("="))
    return _believe(decoded is not None and _is_key(decoded, pgp="PGP" in label))


def _base64_of(line: str) -> str:
    """Return the base64 that a line of a block has, within quotes, plus signs, or a comment."""
    found = re.search(r"[A-Za-z0-9+/]{4,}={0,2}", line.strip(" \t\"'`+,;\\"))
    return found[0] if found else ""


def _is_key(data: bytes, *, pgp: bool) -> bool:
    if pgp:
        # RFC 9580, section 4.2: the first bit of a packet is set.
        return bool(data[0] & 0x80)
    if data.startswith(b"openssh-key-v1\0"):
        return True
    if data[:1] != b"\x30":
        return False
    size = data[1]
    if size < 0x80:  # noqa: PLR2004 - X.690: the short form
        return size <= len(data)
    count = size & 0x7F
    long = int.from_bytes(data[2 : 2 + count], "big")
    # The block may be cut off, so that it may hold less than it says, but not next to nothing.
    return 1 <= count <= 3 and 32 <= long <= 1 << 16  # noqa: PLR2004 - lengths of keys


def _believe(right: object) -> float:
    return CERTAIN if right else DOUBT


def _number(text: str, alphabet: str) -> int | None:
    number = 0
    for character in text:
        digit = alphabet.find(character)
        if digit < 0:
            return None
        number = number * len(alphabet) + digit
    return number if text else None


def _polymod(values: list[int]) -> int:
    """BIP 173's checksum of a list of five-bit values."""
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum


def _decoded(text: str) -> bytes | None:
    """Return the bytes of base64 of either alphabet, padded or not."""
    text = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _json(text: str) -> dict[str, object] | None:
    data = _decoded(text)
    try:
        found = json.loads(data or b"")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


CHECKS: dict[str, Callable[[str], float]] = {
    "github-crc32": crc32_base62,
    "npm-crc32": crc32_base62,
    "gitlab-crc32": crc32_gitlab,
    "grafana-crc32": crc32_grafana,
    "bech32": bech32,
    "base58check": base58check,
    "aws-key-id": aws_key_id,
    "jwt": jwt,
    "jwt-alone": jwt_alone,
    "base64-json": base64_json,
    "pypi-macaroon": macaroon,
    "base64": canonical_base64,
    "discord-id": discord,
    "jfrog-reference": jfrog_reference,
    "pem": pem,
}

PROOFS = frozenset(("github-crc32", "npm-crc32", "grafana-crc32", "bech32"))
"""Checks that a value passes by chance once in 2^30 or less, and each of whose values has one."""
