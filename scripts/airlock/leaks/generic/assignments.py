"""Values with a name, in all the forms that languages and formats give an assignment.

A name is looked for first; what connects it with a value and the value itself are then matched at
its end. Every pattern takes linear time: its repeats are bounded or possessive.
"""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING

from airlock.leaks.generic import names
from airlock.leaks.generic.form import Form, latin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.leaks.generic.files import Kind

_REACH = 48
_LONGEST = 16
"""Bytes of what promises."""
_QUOTES = frozenset("\"'`")
_SAYS = ("export", "env", "arg", "set")

_NAME = re.compile(
    latin(
        r"pa?ss?w(?:o?r)?d|passw|passp|passc|passk|pass|pword|pwd|psw|pw|secret|token|key|cred|psk"
        r"|salt|nonce|seed|pepper|iv|auth|bearer|jwt|cookie|sess|sid|csrf|xsrf|otp|mnemonic"
        r"|signature|sig|api|mdp|mot de passe|kennwort|senha|contrase|wachtwoord|haslo|hasło"
        r"|lösenord|clave|parol|rootpw|bindpw|пароль|Пароль|密码|密碼|口令|パスワード|비밀번호|암호"
    )
)
_INSIDE = frozenset(string.ascii_letters + string.digits + "_.-").union(
    map(chr, range(0x80, 0x100))
)
_REST = re.compile(r"[\w.\-\x80-\xff]{0,48}+")
_DIGIT = re.compile(r"[0-9]")
_PAIR = re.compile(r"(?i)(?:\bid|\buser|username|login|account|[\x80-\xff])[ ]?[/&:][ ]?$")
"""Before the second of two names that share one value."""
_BOTH = re.compile(r"[^/:]+[/:]([^/:]+)")
_WIDE_COLON = latin("\uff1a")
_QUALIFIER = re.compile(
    r"(?i)\b(next|page|cursor|continuation|sync|public|csrf|xsrf|pagination)[ \t]$"
)
"""The first word of "page token: …"."""
_SECOND = re.compile(r"(?i)[ ](?:key|token|secret|password|passphrase)(?=[\"'`]?[ \t]*[:=])")
"""The second word of "secret key: …"."""

_GAP = r"[ \t]{0,24}+"
_BREAK = r"(?:[ \t]{0,8}+\r?\n[ \t]{0,32}+)?"
_LINK = re.compile(
    rf"""
    (?P<close>\\{{0,4}}["'`*\])}}]{{0,4}}+(?:\[\w{{0,8}}+\])?){_GAP}
    (?:
        (?P<bridge>,?{_BREAK}{_GAP}["']?(?:value|default|defaultValue|content|initial)["']?{_GAP}[=:]
          |\{{{_GAP}{_BREAK}(?:type{_GAP}={_GAP}\w{{1,16}}{_BREAK})?default{_GAP}=)
      | (?P<element></[\w:.\-]{{1,32}}+>{_BREAK}<[\w:.\-]{{1,32}}+>)
      | (?P<typed>:{_GAP}[&*]?(?:'\w+{_GAP})?(?:mut{_GAP})?[A-Za-z_]
          [\w.<>\[\]|?&:\ ]{{0,40}}=(?![=>]))
      | (?P<either>\|\||\?\?|\bor\b)
      | (?P<declared>(?:string|String|str|\[\]byte|char)\b[ \t\[\]*]{{0,8}}=(?!=))
      | (?P<compare>[=!]==?|\bis{_GAP}not\b|\beq\b|\.equals(?:IgnoreCase)?\(|\.compareTo\(|~=)
      | (?P<assign>:{{1,3}}=|=>|[?|+.]{{1,2}}=|<-|->|=|:|{_WIDE_COLON})
      | (?P<say>\b(?:is|was|ist|est|es)\b(?:{_GAP}:)?)
      | (?P<call>\()
      | (?P<next>,)
      | (?P<cell>\|)
      | (?P<tag>/?>)
    )
    """,
    re.VERBOSE,
)
# What may stand between the link and a quoted value: another source's default, a conversion, a
# call, brackets.
_WRAP = re.compile(
    rf"""{_BREAK}{_GAP}
    (?:
        (?P<default>[\w.$\[\]'"()?]{{1,64}}?{_GAP}(?:\|\||\?\?|\bor\b|\?:){_GAP})
      | (?P<ternary>[^"'`\n;]{{1,64}}?\?{_GAP})
      | (?P<env>(?:[\w.]{{0,24}}(?:getenv|environ\.get|env|get|fetch|getProperty|getOrDefault))
          \({_GAP}["'][\w.\-]{{1,64}}["']{_GAP},{_GAP})
      | (?P<raw>(?:\[\]byte|bytes|bytearray|bytes\.fromhex|(?:binascii\.)?unhexlify|str|String
          |new{_GAP}String|SecureString|Buffer\.from|[\w.]{{0,24}}decode|fromHex|hex2bin|Optional\.of
          |Some|Secret|SecretStr|Arrays\.asList|List\.of|static_cast<[\w ]*>|std::string
          |String::from|ConvertTo-SecureString{_GAP}(?:-String)?)(?:\({_GAP}|[ \t]))
      | (?P<wrapped>(?:new{_GAP})?[\w.$:>\-]{{1,48}}\({_GAP}(?:[\w.]{{1,24}}{_GAP},{_GAP})?)
      | (?P<group>[\[({{]{{1,2}}+{_BREAK}{_GAP})
    )?
    """,
    re.VERBOSE,
)
_QUOTED_ONLY = frozenset(("call", "next", "typed", "declared"))
"""Links behind which a bare word is a name."""
_SPACES = re.compile(r"[ \t]{1,16}+")
_GAPS = re.compile(r"[ \t]{0,64}+")

_PREFIX = re.compile(r"(?:[bBrRuUfFlL]{1,2}|@\$?|\$@?)?(?=\\{0,4}[\"'`])")
_QUOTED = {
    '"': re.compile(r'"([^"\\\n]{0,4096}+(?:\\.[^"\\\n]{0,4096}+){0,256}+)"'),
    "'": re.compile(r"'([^'\\\n]{0,4096}+(?:\\.[^'\\\n]{0,4096}+){0,256}+)'"),
    "`": re.compile(r"`([^`\\\n]{0,4096}+(?:\\.[^`\\\n]{0,4096}+){0,256}+)`"),
    '"""': re.compile(r'"""\s{0,64}+([^"]{0,4096}+)"""'),
    "'''": re.compile(r"'''\s{0,64}+([^']{0,4096}+)'''"),
    "\\": re.compile(r"\\{1,4}+[\"'`]([^\"'`\\\n]{0,4096}+)\\{1,4}+[\"'`]"),
}
_OPEN = re.compile(r"""["'`]{1,3}+([^\s"'`\\]{16,4096}+)\\?(?:\r?\n|\Z)""")
"""A literal that goes on in the next line, or is cut off."""
_JOINED = re.compile(
    rf"""{_GAP}[+.\\&]?{_GAP}(?:\r?\n[ \t]{{0,64}}+)?[+.]?{_GAP}(["'])([^"'\\\n]{{1,512}}+)\1"""
)
_SCHEME = re.compile(r"(?i)(?:basic|bearer|token|digest|negotiate)[ ]+\S")
"""An Authorization header's value, which `commands` reads."""
_LISTED = re.compile(r"""\s{0,8},\s{0,64}[bruf]?["']""")
"""Another literal follows: a list of words."""

_WORD = re.compile(r"[^\s\"'`<>,;&|(){}\[\]]{1,4096}+")
_LINE = re.compile(r"[^\s\"'`<>]\S{0,4095}+")
_CELL = re.compile(
    r"[ \t]{1,16}+[`\"*]{0,2}+([^\s|`\"*]{4,256}+)[`\"*]{0,2}[ \t]{1,64}(?:\||\r?\n|\Z)"
)
_TEXT = re.compile(r"\s{0,64}+[^<\n]{1,4096}+\s{0,64}+")
_BLOCK = re.compile(r"[|>][+-]?[ \t]*+\r?\n[ \t]{1,64}+")
"""The head of a YAML block scalar (YAML 1.2.2, 8.1)."""
_NUMBERS = re.compile(
    r"(?:new[ ])?[\w.\[\] ]{0,24}[\[{(]{1,2}\s{0,16}"
    r"((?:(?:0x[0-9A-Fa-f]{1,2}|\d{1,3})\s{0,16}+,\s{0,16}+){7,255}+)"
)
_PARAMETER = re.compile(r"&\w{1,32}=")
_CHOICE = re.compile(r"\?[ \t]{0,4}[\"']$")
"""Before a name that is a value itself: ``ok ? "Pass" : "Fail!"``."""
_PHRASE = re.compile(r"[\"'>]\s{0,2}(?:[A-Za-z\x80-\xff'-]{1,24}[ ]){1,8}$")
"""Before the last word of a key that is a text of a user interface: ``"Repeat password": …``."""
_ESCAPE = re.compile(r"\\[nrt]")
_TOLD = re.compile(
    r"^[^\"]*+(?:\"[^\"]*+\"[^\"]*+)*+\"[^\"]*+$|^[^']*+(?:'[^']*+'[^']*+)*+'[^']*+$|[?&]$"
    r"|`|//|\#|^\s*\*|/\*|<!--|--|\"\"\"|=begin|;;|^\s*[A-Z][\w ]*$"
)
"""Before a name in code: what makes the line a literal, a comment or prose."""
_REFERENCE = re.compile(r"[A-Za-z_$&*][A-Za-z_.$:>\-]*+")
_DIGITS_TOO = re.compile(r"[A-Za-z_$&*][\w$]*[_.:>][\w$.:>\-]*|[A-Za-z_$&*][A-Za-z_.$:>\-]*+")
"""What stands bare in code is a name."""

_SPACED = re.compile(
    r"\b(?:login[ \t]+\S+[ \t]+|%?(?:define|global)[ \t]+|ENV[ \t]+|ARG[ \t]+|set_?env[ \t]+"
    r"|SetEnv[ \t]+)$|^[ \t]*$"
)
"""Before a name whose value follows a mere space: .netrc, macros, Dockerfiles, redis.conf."""
_ENTRY = frozenset(("key", "token"))
_VALUE = re.compile(r"""[ \t]{0,8}+,?\s{0,40}+[\"']?value[\"']?[ \t]{0,4}+[=:]""")
"""Behind the name of an entry: ``<add key="feed" value="…"/>``."""
_CALL = re.compile(r"(?:^|[^\w\"'\])}])(\w+)$")
_NO_CALLS = frozenset(
    ("and", "case", "elsif", "if", "in", "not", "or", "puts", "return", "unless", "when")
)
_DECLARED = re.compile(
    r"(?:^|[\r\n]|[:{(,\[;])[ \t]{0,64}"
    r"(?:[#%][ \t]{0,8}(?:define|global)[ \t]{1,8}|[\w$]{1,24}[ \t]{1,8})?$"
)
"""The same where the value is quoted: Gradle, Ruby, Clojure, Tcl."""


def find(window: str, lower: str, first: int, last: int, *, file: Kind) -> Iterator[Form]:
    """Yield the values that belong to a name which promises something.

    Args:
        window: The text, read as Latin-1.
        lower: The same with ASCII letters in lower case.
        first: Offset from which what promises may begin.
        last: Offset before which it must begin.
        file: What kind of file it is; in code, bare words are names.
    """
    at = first
    while match := _NAME.search(lower, at, last + _LONGEST):
        start, end = _identifier(window, match.start(), match.end())
        at = max(end, match.end())
        name = window[start:end].strip("-.")
        if word := _QUALIFIER.search(window, max(0, start - 16), start):
            name = f"{word[1]} {name}"
        if names.read(name).hopeless or _CHOICE.search(window, max(0, start - 12), start):
            continue
        if window.rfind("ENC[", 0, start) > window.rfind("]", 0, start):
            continue  # Inside of what SOPS encrypted.
        form = _value(window, name, start, end, code=file == "code")
        if form and _PHRASE.search(window, max(0, start - 80), start):
            form = form if _DIGIT.search(form.value) else None
        if form and _PAIR.search(window, max(0, start - 16), start):
            form = _second(form) if file == "docs" else None
        if form:
            yield form


def _second(form: Form) -> Form | None:
    """Return the password of "id/password: name/value", which only people write."""
    both = _BOTH.fullmatch(form.value)
    return form._replace(start=form.start + both.start(1), value=both[1]) if both else None


def _identifier(window: str, start: int, end: int) -> tuple[int, int]:
    least = max(0, start - _REACH)
    while start > least and window[start - 1] in _INSIDE:
        start -= 1
    rest = _REST.match(window, end)
    end = rest.end() if rest else end
    wide = window.find(_WIDE_COLON, start, end)
    if wide >= 0:
        return start, wide
    second = _SECOND.match(window, end)
    return start, second.end() if second else end


def _value(window: str, name: str, start: int, end: int, *, code: bool) -> Form | None:
    if window[end - 1 : end] in {"-", "."}:  # `password-` as in prose, or the `<-` of R.
        end -= 1
    link = _LINK.match(window, end)
    if link is None:
        return _spaced(window, name, start, end)
    how, at = link.lastgroup or "", link.end()
    if how == "cell":
        return _cell(window, name, start, at)
    if how == "next" and not _argument(window, start, link["close"]):
        return None
    wrap = _WRAP.match(window, at) if how not in {"element", "tag"} else None
    if wrap and wrap.lastgroup and (prefix := _PREFIX.match(window, wrap.end())):
        extra = "" if wrap.lastgroup in {"raw", "group"} else f"+{wrap.lastgroup}"
        return _quoted(window, name, prefix.end(), how + extra)
    broken = wrap.end() if wrap else at
    if prefix := _PREFIX.match(window, broken):
        return _quoted(window, name, prefix.end(), how)
    return None if how in _QUOTED_ONLY else _bare(window, name, start, at, how, code=code)


def _argument(window: str, start: int, close: str) -> bool:
    """Whether a name with a comma behind it is the first of two arguments, not one of many words.

    In ``"password=password", "next"`` the quote that closes is not the name's own.
    """
    if window[start] == "-":
        return True
    if ")" in close:
        return False
    before = start
    if not _QUOTES.isdisjoint(close):
        if window[start - 1 : start] not in _QUOTES:
            return False
        before -= 1
    lead = window[max(0, before - 16) : before].rstrip()
    if before < start and (call := _CALL.search(lead)):  # Ruby's calls do without parentheses.
        return call[1] not in _NO_CALLS
    constant = before == start and window[start : start + 4].isupper()
    return lead.endswith(("(", "{", "[")) or (constant and lead.endswith(","))


def _cell(window: str, name: str, start: int, at: int) -> Form | None:
    """Return what fills the cell behind a name's own, in a Markdown table."""
    match = _CELL.match(window, at)
    if match is None or not window[max(0, start - 8) : start].rstrip(' `"*').endswith("|"):
        return None
    return Form("assign", name, *match.span(1), "|", "cell", match[1])


def _spaced(window: str, name: str, start: int, end: int) -> Form | None:
    """Return a value with only a space before it: an option's, or a declaration's."""
    gap = _SPACES.match(window, end)
    if gap is None:
        return None
    option = window[start] == "-" or window[start - 1 : start] == "-"
    how = "option" if option else "space"
    line = window.rfind("\n", 0, start) + 1
    if prefix := _PREFIX.match(window, gap.end()):
        if option or (window[prefix.end()] != "`" and _DECLARED.search(window, line, start)):
            return _quoted(window, name, prefix.end(), how)
        return None
    match = _LINE.match(window, gap.end())
    if match is None or not (option or _SPACED.search(window, line, start)):
        return None
    rest = window[match.end() : match.end() + 2].strip(" \t")
    if not option and rest and rest[0] not in "\r\n#":
        return None
    value = match[0].rstrip(",;\"'`")
    return Form("assign", name, match.start(), match.start() + len(value), "", how, value)


def _quoted(window: str, name: str, at: int, link: str) -> Form | None:
    quote = window[at]
    if window.startswith(quote * 3, at) and quote * 3 in _QUOTED:
        quote *= 3
    match = _QUOTED[quote].match(window, at) or _OPEN.match(window, at)
    if match is None:
        return None
    start, end = match.span(1)
    value = match[1].strip()
    if _SCHEME.match(value):
        return None
    if link == "next" and name[:1] != "-" and _LISTED.match(window, match.end()):
        return None
    if name.lower() in _ENTRY and _VALUE.match(window, match.end()):
        return None
    joined = _JOINED.match(window, match.end()) if len(quote) == 1 and "+" not in link else None
    if joined and "\n" not in value:
        value += joined[2]
    return Form("assign", name, start, end, quote, link, value)


def _bare(window: str, name: str, start: int, at: int, link: str, *, code: bool) -> Form | None:
    gap = _GAPS.match(window, at)
    at = gap.end() if gap else at
    if numbers := _NUMBERS.match(window, at):
        return Form("assign", name, *numbers.span(1), "[", "numbers", numbers[1])
    if link in {"tag", "element"}:
        return _element(window, name, at, link)
    if not code and (block := _BLOCK.match(window, at)):
        at = block.end()
    head = window[window.rfind("\n", 0, start) + 1 : start]
    lead = head.strip(" \t-\"'+").lower()
    if not code and (not lead or lead in _SAYS):
        return _setting(window, name, at, link)
    match = _WORD.match(window, at)
    if match is None or match[0].endswith("...") or window.startswith(("(", "["), match.end()):
        return None
    value = _ESCAPE.split(match[0], maxsplit=1)[0].rstrip(".:")
    told = not code or _TOLD.search(head)
    if code and (_REFERENCE if told else _DIGITS_TOO).fullmatch(value):
        return None
    if not told:
        link += "+untold"
    elif link == "say":
        link += "+line"
    return Form("assign", name, at, at + len(value), "", link, value)


def _element(window: str, name: str, at: int, link: str) -> Form | None:
    match = _TEXT.match(window, at)
    if match is None or not window.startswith("</", match.end()):
        return None
    value = match[0].strip()
    start = match.start() + len(match[0]) - len(match[0].lstrip())
    return Form("assign", name, start, start + len(value), "<", link, value)


def _setting(window: str, name: str, at: int, link: str) -> Form | None:
    """Return the value of a line that is nothing but a setting."""
    match = _LINE.match(window, at)
    if match is None or match[0].endswith("..."):
        return None
    value = _PARAMETER.split(match[0], maxsplit=1)[0].rstrip(",;\"'`")
    rest = window[match.end() : match.end() + 64].split("\n", 1)[0].strip()
    if rest and rest[0] not in "#;\"'&|)}" and not rest.startswith("//"):
        link += "+prose"
    return Form("assign", name, at, at + len(value), "", link, value)
