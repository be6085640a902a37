"""Values that need no name: URLs, headers, SQL, command lines, log-ins, password hashes.

Every pattern here takes linear time: its repeats are bounded or possessive. Before any of them
runs, one RE2 set says which of them can match at all.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple

import re2

from airlock.leaks.generic.form import Form

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Pattern(NamedTuple):
    """One form.

    Args:
        kind: What it is called in `Form`.
        gate: What must be in a text, in RE2's syntax, any case.
        regex: The form; its first group is the value.
    """

    kind: str
    gate: str
    regex: re.Pattern[str]


def _pattern(kind: str, gate: str, *parts: str) -> _Pattern:
    return _Pattern(kind, gate, re.compile("".join(parts)))


_CLIENTS = (
    r"redis-cli|mongo|mongosh|mongodump|mongorestore|docker[ \t]{1,4}login|podman[ \t]{1,4}login"
    r"|helm[ \t]{1,4}registry|az|smbclient|ldap(?:search|add|modify|passwd)|sqlcmd|isql|bcp|7z"
    r"|zip|unzip|rar|plink|pscp|cqlsh|htpasswd|net|oc|svn|kinit|l?ftp|ncftp|nmcli|mosquitto_[ps]ub"
    r"|influx|cf|ibmcloud|argocd|winexe|xfreerdp|snmpwalk|ipmitool"
)
_VALUE = r"([^\s\"'$]{3,128}+)"

_PATTERNS = (
    # RFC 3986, 3.2.1: userinfo; the user may be missing, or an address with its own @.
    _pattern(
        "url",
        r"://[^\s/]*:[^\s/]*@",
        r"[A-Za-z][A-Za-z0-9+.\-]{1,24}+://[^\s/:\"'`<>?#]{0,96}+:",
        r"([^\s/@\"'`<>]{1,256}+)@[\w\[.{$%\-]",
    ),
    # RFC 7617 and RFC 6750; other schemes have the same shape.
    _pattern(
        "basic",
        r"\bbasic[ \t]",
        r"(?i)\bbasic[ \t]{1,4}+([A-Za-z0-9+/]{8,2048}+={0,2})(?![\w.])",
    ),
    _pattern(
        "bearer",
        r"\bbearer[ \t]|\bauthorization",
        r"(?i)\b(?:bearer|authorization[\"']?[ \t]{0,4}[:=,][ \t]{0,4}[\"']?",
        r"(?!basic|negotiate|aws4)(?:[a-z][a-z\-]{1,15})?)[ \t]{1,4}+",
        r"([A-Za-z0-9_\-.=~+/|]{12,4096}+)(?![\w.(\[$])",
    ),
    _pattern(
        "sql",
        r"\bidentified[ \t]",
        r"(?i)\bidentified[ \t]{1,8}+(?:with[ \t]{1,8}+\S{1,48}+[ \t]{1,8}+)?(?:by|as)[ \t]{1,8}+",
        r"(?:password[ \t]{1,8}+)?(?:values[ \t]{1,8}+)?\\?[\"']([^\s\"';\\]{3,128}+)",
    ),
    _pattern(
        "sql",
        r"\bidentified[ \t]+by[ \t]",
        r"(?i)\b(?:create|alter|grant|user)\b[^\n;(]{1,160}?\bidentified[ \t]{1,8}+by[ \t]{1,8}+",
        r"([^\s\"'`;\\<$]{3,128}+)",
    ),
    _pattern(
        "sql",
        r"\b(?:create|alter|set)[ \t].*password[ \t]",
        r"(?i)\b(?:create|alter|set)[ \t]{1,4}(?:user|role|login|password)\b",
        r"[^\n;]{1,80}?\bpassword",
        r"[ \t]{1,4}+=?[ \t]{0,4}+([^\s\"'$<{;,()=]{5,128}+)[;,\s\"']",
    ),
    _pattern(
        "sql",
        r"\b(?:password|pwd)[ \t][^\n]*'",
        r"(?i)\b(?:password|pwd)[ \t]{1,8}+(?:=[ \t]{0,8}+)?(?:hash[ \t]{1,8}+)?N?\\?'",
        r"([^\s'\\]{3,128}+)\\?'",
    ),
    _pattern(
        "sql",
        r"\bpassword[ \t]{0,2}\(",
        r"(?i)\bpassword[ \t]{0,2}+\([ \t]{0,4}+\\?[\"']([^\s\"'\\]{3,128}+)\\?[\"'][ \t]{0,4}+\)",
    ),
    _pattern(
        "compare",
        r"[\"'][ \t]*(?:[!=]=|\.equals\()",
        r"(?i)[\"']([^\"'\s]{6,64}+)[\"'][ \t]{0,4}+(?:[!=]==?|\.equals\()[ \t]{0,4}+",
        r"[\w.$>\-]{0,24}?(?:passw|pwd|secret|token)[\w.]{0,24}+",
    ),
    _pattern(
        "shell",
        r"\b(?:curl|wget)\b",
        r"(?i)\b(?:curl|wget)\b(?:[^\n]|\\\n){0,400}?[ \t]",
        r"(?:-[a-zA-Z]{0,4}u|--user|--proxy-user|-U)[ \t=]{0,4}+",
        r"[\"']?[^\s\"':$]{0,64}+[\"']?:[\"']?",
        _VALUE,
    ),
    _pattern(
        "shell",
        r"\bcurl\b",
        r"\bcurl\b[^\n]{0,300}?[ \t]-u[ \t]{0,4}+[\"']([^\s\"':$]{8,128}+):[\"']",
    ),
    _pattern(
        "shell",
        r"convertto-securestring",
        r"(?i)ConvertTo-SecureString[ \t]{1,4}+(?:-(?:String|Force|AsPlainText)[ \t]{1,4}+){0,3}",
        r"[\\\"']{0,3}([^\s\"'$()\-|][^\s\"'\\]{3,128}+)",
    ),
    _pattern(
        "shell",
        r"\b(?:mysql|mariadb)[^\n]*[ \t]-p",
        r"\b(?:mysql|mysqldump|mysqladmin|mysqlimport|mysqlshow|mariadb|mariadb-dump)\b",
        r"[^\n|;]{0,200}?[ \t]-p[\"']?([^\s\"'$;|]{3,128}+)",
    ),
    _pattern("shell", r"\bsshpass\b", r"\bsshpass[ \t]{1,4}+-p[ \t]{0,4}+[\"']?", _VALUE),
    _pattern(
        "shell",
        rf"\b(?:{_CLIENTS})\b[^\n]*[ \t][-/]",
        rf"\b(?:{_CLIENTS})\b[^\n|;]{{0,240}}?[ \t]",
        r"(?:-a|-p|-P|-w|-pw|/p:|/password:|-password|--password|-u[ \t=]?[^\s:]{1,48}+:)",
        r"[ \t=]{0,2}+[\"']?([^\s\"'$\-][^\s\"'$]{3,128}+)",
    ),
    _pattern("shell", r"-pass", r"-pass(?:in|out|word)?[ \t]{1,4}+[\"']?pass:", _VALUE),
    _pattern(
        "shell",
        r"\bchpasswd\b",
        r"[\w.\-]{1,32}+:([^\s\"'$:|]{4,128}+)[\"']?[ \t]{0,4}+\|",
        r"[ \t]{0,4}+(?:sudo[ \t]{1,4}+)?chpasswd",
    ),
    _pattern(
        "shell",
        r"\bnet[ \t]+us",
        r"(?i)\bnet[ \t]+(?:use|user)[ \t][^\n]{0,160}?/user:\S{1,64}+[ \t]{1,4}+",
        r"([^\s\"'%$/*]{4,64}+)",
    ),
    _pattern(
        "login",
        r"(?:log_?(?:in|on)|sign_?in|auth|credential|connect|basic|user)\w*[ \t]*=?[ \t]*\(",
        r"(?i)(?:log_?in|log_?on|sign_?in|auth|authenticate|authentication|credentials?|connect",
        r"|connection|basic|create_?user|create_?superuser)\w{0,16}[ \t]{0,2}=?[ \t]{0,2}\(",
        r"(?:[\w.]{1,32}+[ \t]{0,2}+,[ \t]{0,2}+|\w{1,24}+[ \t]{0,2}+=[ \t]{0,2}+)?",
        r"(?:[ubrf]?[\"'][^\"'\n]{0,96}+[\"'][ \t]{0,4}+,[ \t]{0,4}+){1,3}",
        r"\w{0,16}[=:]?[ \t]{0,2}[ubrf]?[\"']([^\"'\s]{4,128}+)[\"'][ \t]{0,4}+[),]",
    ),
    # PostgreSQL's password file: hostname:port:database:username:password.
    _pattern(
        "pgpass",
        r":(?:\d{2,5}|\*):[^:\s]+:[^:\s]+:",
        r"(?m)^[\w.*\-]{1,64}+:(?:\d{2,5}|\*):[\w*\-]{1,40}+:[\w.@*\-]{1,40}+:([^\s:]{4,128}+)$",
    ),
    # crypt(5) and RFC 2307.
    _pattern(
        "hash",
        r"\$(?:apr1|1|2[aby]|5|6|y|argon2)",
        r"(\$(?:apr1|1|2[aby]|5|6|y)\$[A-Za-z0-9./$=,]{16,200}+",
        r"|\$argon2(?:id?|d)\$[A-Za-z0-9./$=,+]{24,200}+)",
    ),
    _pattern("hash", r"\{ssha", r"(\{SSHA(?:256|512)?\}[A-Za-z0-9+/]{16,200}+={0,2})"),
)


@functools.cache
def _gates() -> re2.Set:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.case_sensitive = False
    options.dot_nl = False
    gates: re2.Set = re2.Set.SearchSet(options)  # type: ignore[no-untyped-call]
    for pattern in _PATTERNS:
        gates.Add(pattern.gate)  # type: ignore[no-untyped-call]
    gates.Compile()  # type: ignore[no-untyped-call]
    return gates


def find(window: str, raw: bytes) -> Iterator[Form]:
    """Yield the values that need no name.

    Args:
        window: The text, read as Latin-1.
        raw: The same as bytes.
    """
    for index in sorted(_gates().Match(raw) or ()):  # type: ignore[no-untyped-call]
        pattern = _PATTERNS[index]
        for match in pattern.regex.finditer(window):
            start, end = _trimmed(window, *match.span(1))
            yield Form(pattern.kind, "", start, end, "", pattern.kind, window[start:end])


def _trimmed(window: str, start: int, end: int) -> tuple[int, int]:
    while start < end and window[start] in "\"'":
        start += 1
    while end > start and (
        window[end - 1] in "\"'`,;" or (window[end - 1] == ")" and "(" not in window[start:end])
    ):
        end -= 1
    return start, end
