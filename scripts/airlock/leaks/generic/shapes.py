"""Shapes of values: some are never secrets, others speak for or against one."""

from __future__ import annotations

import functools
import re

import re2

_NEVER = (
    # Addresses of things: URLs, files, hosts, mail.
    r"[A-Za-z][A-Za-z0-9+.-]*://.*|//[\w.-]+/.*|www\..*|mailto:.*|urn:.*|data:.*|jdbc:.*",
    r"(?:classpath|file|env|vault|ssm|arn|sm|secretsmanager|gs|s3|kms|op|ref|oid)[:/].*",
    (
        r"[\w./ -]+\.(?:pem|key|crt|cer|json|ya?ml|txt|jks|p12|pfx|py|js|ts|java|go|rb|php|html?"
        r"|xml|conf|cfg|ini|toml|sh|md|csv|log|png|svg|jpg|css|properties|env|pub|asc|gpg|sql|db|so|exe|dll|zip|gz"
        r"|tgz)"
    ),
    r"(?:[a-z0-9._-]+/){2,}[a-z0-9._-]+",
    r"(?:application|text|image|audio|video|multipart)/[\w.+*-]+",
    # Versions, object identifiers, artifacts, numbers.
    r"[vV]?\d+(?:\.\d+){1,3}(?:[.+-]?[a-z]+[.-]?\d*)*|\d+\.\d+-\d+\.\d+|[0-2](?:\.\d+){4,}",
    r"(?:npm|workspace):.*|[\^~<>=]+\d[\w.-]*",
    # What is like a bot token of Telegram, and is none: the rule by name finds those that are.
    r"\d+:A[A-Za-z0-9_-]+",
    # Dates and IP addresses, ports that are mapped.
    r"\d{1,5}:\d{1,5}(?:/(?:tcp|udp))?",
    r"\d{4}-\d\d-\d\d(?:[T ][\d:.]+(?:Z|[+-][\d:]+)?|[-\w]*)|\d{8}T\d{6}Z?",
    r"(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F.]{0,15}",
    r"@?[a-z][\w.]*(?:[-/:@][a-z]\w*)*[-:@^~]{1,2}v?\d+(?:\.\d+)+[\w.-]*",
    # Options, types, constants of languages, names of algorithms.
    r"-{1,2}[A-Za-z][\w-]*(?:[= ].*)?",
    (
        r"(?:[Ss]tring|[Ss]tr|[Bb]ool(?:ean)?|[Ii]nt(?:eger)?|[Bb]ytes?|[Oo]bject|[Nn]umber|[Nn]ull|[Nn]one"
        r"|[Nn]il|[Tt]rue|[Ff]alse|undefined|void|any|char|varchar|text|optional|required|auto|default"
        r"|empty|unset|unknown|never|always|yes|no|on|off)(?:[?!;,\[<(].*)?"
    ),
    (
        r"(?i:(?:hs|rs|es|ps)\d{3}|(?:cram|scram|digest)-[\w-]+|utf-?\d+|iso-8859-\d+|sha-?\d+(?::\d+)?|md5|aes-?\d*(?:[-/]\w+)*"
        r"|(?:pbkdf2|rsa|ecdsa|hmac|bcrypt|scrypt|argon2|plain|basic|bearer|digest|oauth2?|jwt|ssh-rsa"
        r"|ssh-ed25519)[\w/-]*)"
    ),
    # Code: calls, indexes, concatenations, regular expressions, markup.
    r"[A-Za-z_$][\w.:$>-]*\([^()]*(?:\([^()]*\)[^()]*)*\)[;,.]?(?:\.\w+(?:\([^()]*\))?)*",
    r"(?:Get|Read|New|Set|ConvertTo|ConvertFrom|Import|Select)-[A-Z]\w+",
    r"[\w.$]+\[[^\]]*\].*|\.[A-Za-z]\w*(?:\.\w+)+|['\"]?\)[.\[].*|![A-Za-z]+",
    # A document of JSON.
    r"\s*[\[{]+\s*\\{0,3}[\"'][\w $@.-]*\\{0,3}[\"']\s*[:,\]].*",
    r"\\?[A-Za-z]+(?:\\+[A-Za-z]+)+(?:::class)?|\$[A-Za-z_]\w*-",
    r" ?[.+] ?[$(].*| ?\+ .*|\.[a-z]+\(.*|\+.*\+",
    r"(?:.*[^\\])?\$(?:\{[\w.]+[:}/(]|\([A-Za-z_<]).*",
    r"['\"] ?[.+&].*|.*[.+&] ?['\"]",
    r".*(?:\(\?[:=!<]|\[[^\]]+\][+*{]|\\[dwsbWDSBK](?:[^a-z0-9].*)?).*|\^.*",
    r".*(?:</|/>|<\w+>|&\w+;).*",
    # Public keys (RFC 4253, 6.6; RFC 5280, 4.1).
    r"(?:ssh-(?:rsa|dss|ed25519)|ecdsa-)\s.*|AAAA[BCE]3NzaC1.*|-----BEGIN (?:PUBLIC|CERT).*",
    r"MI[IGHB][A-Za-z0-9+/]{2}(?:BI|CI|EX|TA|Fk|Fw|IB|Ew|gf).*",
    r"MI[IGHB][A-Za-z0-9+/]{1,3}(?:ANBgkqhkiG|MA0GCSqGSI).*|M(?:Fkw|HYw|Cow)(?:EwYHKoZI|EAYHKoZI|BQYDK2V).*",
    # Sealed secrets of Kubernetes, also several: they begin with the size of an RSA cipher text,
    # 512 or 256, in two bytes (bitnami-labs/sealed-secrets, `HybridEncrypt`).
    r"A[gQ][A-D][A-Za-z0-9+/]{119}[A-Za-z0-9+/=]*",
    # One part of a JSON Web Token (RFC 7515, section 3.1), an object of Java.
    r"\.?ey[A-Za-z0-9_-]+\.|\.ey[A-Za-z0-9_-]+|rO0AB[A-Za-z0-9+/=]*",
)

_SHAPES = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("uuid", r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
        ("hex", r"[0-9a-f]{16,}+|[0-9A-F]{16,}+"),
        ("number", r"0x[0-9A-Fa-f]++[uUlL]*"),
        ("digits", r"[+-]?[0-9][0-9 ._:,/x-]*+"),
        (
            "path",
            (r"(?:\.{0,2}|~|[A-Za-z]:|\$\w++)?[/\\](?:[\w.@ -]++[/\\])*+[\w.@-]*+"
            r"|(?:[\w.-]{2,}+/)+[\w.-]*\.[a-z]{1,5}"),
        ),
        ("segments", r"(?:[a-z_-]++/)++[a-z_.-]++"),
        (
            "host",
            (r"(?:[a-z0-9-]++\.)+(?:com|org|net|io|dev|local|internal|edu|gov|de|uk|ru|cn|cloud)"
            r"(?::\d+)?(?:/.*)?"),
        ),
        ("mail", r"[\w.+-]++@[\w-]++(?:\.[\w-]++)++"),
        ("rules", r"[a-z_]++(?:[|:,][a-z0-9_]++)++"),
        ("colour", r"#[0-9a-fA-F]{3,8}|rgba?\(.*"),
        ("constant", r"[A-Z][A-Z0-9]*+(?:_[A-Z0-9]++)++"),
        ("snake", r"_*+[a-z][a-z0-9]*+(?:_[a-z0-9]++)++_*+"),
        ("kebab", r"-*+[a-z][a-z0-9]*+(?:-[a-z0-9]++)++|[A-Z]*[a-z]*+(?:-[A-Z]*[a-z]*+)++"),
        ("header", r"X-[\w-]++|[A-Z][a-z]++(?:-[A-Z]\w*+)++"),
        ("dotted", r"[A-Za-z_$][\w$]*+(?:(?:\.|::|->|\?\.)[A-Za-z_$][\w$-]*)++(?:\(\))?"),
        ("camel", r"_*+[a-z]++(?:[A-Z][a-z]++)++\d?|(?:[A-Z][a-z]++){2,}+\d?"),
        (
            "variable",
            r"\$[A-Za-z_]\w*+(?:(?:->|:)\w++)*+|%\w++%|@[A-Za-z_]\w*+|[&*?:][a-z_]\w*+|\$\d",
        ),
        ("format", r".*?(?:%[sdifrxq@]|%\d?\$?[sd]|\{\d*\}|\{[a-z_.]+\}|\{\{[\w ]+\}\}).*"),
        ("selector", r"[#.][a-z][\w-]*+(?:[ .>#][\w.# >-]+)?"),
        ("escape", r"[^\\]*+(?:\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[nrtfvab0])).*"),
        ("prompt", r"[^:?]*[A-Za-z ][:?]\s*+"),
        (
            "hash",
            (r"(?:\$(?:apr1|1|2[aby]|5|6|y|argon2id?)\$|\{(?:SSHA|SHA|MD5|bcrypt|noop|CRYPT)\}).+"
            r"|sha(?:1|256|512)[-:].{16,}+|md5:.{16,}+"),
        ),
        ("base64", r"[A-Za-z0-9+/]{16,}+={0,2}|[A-Za-z0-9_-]{16,}+={0,2}"),
    )
)  # fmt: skip


@functools.cache
def _never() -> re2._Regexp:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.dot_nl = True
    never = "|".join(f"(?:{shape})" for shape in _NEVER).encode()
    made: re2._Regexp = re2.compile(never, options)  # type: ignore[no-untyped-call]
    return made


def never(value: str) -> bool:
    """Return whether all of `value`, read as Latin-1, has a shape that no secret has."""
    match = _never().fullmatch(value.encode("latin-1", "replace"))  # type: ignore[no-untyped-call]
    return match is not None


def shapes(value: str) -> list[str]:
    """Return the names of the shapes that all of `value` has."""
    return [name for name, pattern in _SHAPES if pattern.fullmatch(value)]
