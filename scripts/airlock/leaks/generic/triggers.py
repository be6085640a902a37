"""Where generic secrets can stand, as Hyperscan sees it: cheap, selective, a superset of the forms.

A trigger is a name that promises a secret, something that assigns, and the beginning of a value.
Each match ends at a fixed distance behind the value's beginning, so that without start-of-match a
place is one event and not one for each character. They run over raw patch text as well, where a
line break is followed by ``+``.

What keeps them fast: every trigger has a literal that is rare in code, and hardly anything in them
is counted. A gap of at most so many bytes is one automaton more for Hyperscan to run; two of them
took longer than all other triggers. What is further away than the forms allow is sorted out there.
"""

from __future__ import annotations

# Names are matched without word boundaries (`dbPassword`, `MY_TOKEN_2`); `names` sorts out the
# monkeys and tokenizers afterwards.
_STRONG = (
    r"(?:pa?ss?w(?:o?r)?d|passw|pass[_-]?phr|passcode|pwd|secret|token|credential|mdp|ap[ip][_-]?key"
    r"|(?:access|account|admin|aes|auth|authentication|cipher|client|crypt|deploy|encryption|hmac|jwt"
    r"|license|master|priv|private|rsa|secret|service|session|shared|sign|signature|signing|ssh"
    r"|storage|subscription|user|webhook)[ _-]?key)"
)
_ALONE = (
    r"(?:(?:^|[^a-z])(?:pass|pw|psw|pword|creds?)|(?-i:[a-z](?:Pass|Pw|Creds?)|[A-Z]{2}PASS))"
    r"(?:[_-]\w{1,16}|\d{0,3})"
)
_LOOSE = (
    r"(?:key|cookie|(?:^|[^a-z])sess(?:ion)?(?:_?id)?|bearer|jwt|mnemonic|signature|(?:^|[^a-z])sig"
    r"|auth|(?:^|[^a-z])api)"
)
_SALT = r"(?:salt|nonce|pepper|(?:^|[^a-z])(?:seed|otp|iv)|init_?vector)"
_FOREIGN = (
    "(?:contrase|senha|mot ?de ?passe|kennwort|passwort|wachtwoord|has(?:l|ł)o|senord|clave"
    "|(?:п|П)ароль|密码|密碼|口令|パスワード|비밀번호|암호)"
    r"[^\s:=\"']{0,16}"
)

_WIDE_COLON = "\uff1a"
_S = r"[ \t]{0,8}"
_TAIL = r"[\w.\-]*"
_BREAK = r"(?:[\s+]{0,6}\n[+ ]?[ \t]{0,24})?"
_CLOSE = r"""["'\])}\\]{0,4}[ \t]{0,24}"""
# What may stand between a name and a quoted value; a quoted key; a bare value.
_LINK = (
    rf"""{_CLOSE}(?:[:=,(>|!~+?@\[{{<-]|\bis\b|\beq\b|[ \t])[^"'`\n;]{{0,48}}"""
    rf"""{_BREAK}(?:\w{{1,16}}{_S}={_S})?"""
)
_TIGHT = (
    rf"""{_CLOSE}[:=,(>|!]{{1,3}}{_S}{_BREAK}"""
    r"""(?:[\w.\[\]]{1,24}[( ])?[bBrRuUfFL@]{0,2}\\{0,3}["'`]{1,3}"""
)
_BARE = rf"""{_CLOSE}(?::=|[:=?+|]=|=>|[:=>|]){_S}{_BREAK}"""

_QUOTED = r"""\\?["'`]{1,3}[^"'`\s<{][^"'`\s]{3}"""
_PLAIN = r"""[^\s"'`(){}\[\]<>,;$*]"""
_WORD = r"""[^\s"'`(){}\[\]<>,;*][^\s"'`]{5}"""
_RUN = r"[A-Za-z0-9+/_=\-]{16}"
_NUMBER = r"(?:0x[0-9a-f]{1,2}|\d{1,3})[ \t]{0,2},[ \t]{0,2}"

_CLIENTS = (
    r"(?:mysql|mysqldump|mysqladmin|mariadb|sshpass|redis-cli|docker[ \t]{1,4}login"
    r"|podman[ \t]{1,4}login|helm|smbclient|ldapsearch|ldapadd|mongo|mongosh|mongodump|7z|zip|unzip"
    r"|plink|putty|az|htpasswd|sqlcmd|isql|sqlplus|psexec|openssl|svn|rar|cqlsh|clickhouse-client"
    r"|kinit)"
)
_LOGIN = (
    r"(?:log_?in|log_?on|sign_?in|auth|authenticate|credentials?|connect|connection|basic)"
    r"[ \t]{0,2}=?[ \t]{0,2}\("
)

_EXPRESSIONS = (
    # A quoted value: an assignment, an argument, a JSON member. Then a bare one: .env, YAML, XML.
    rf"(?i){_STRONG}{_TAIL}{_LINK}{_QUOTED}",
    rf"(?i){_ALONE}{_LINK}{_QUOTED}",
    rf"(?i){_FOREIGN}{_LINK}{_QUOTED}",
    rf"(?i){_SALT}{_TAIL}{_LINK}{_QUOTED}[^\"'`\s]{{4}}",
    rf"(?i){_STRONG}{_TAIL}{_BARE}{_WORD}",
    rf"(?i){_ALONE}{_BARE}{_WORD}",
    rf"(?i){_FOREIGN}{_S}(?:=|:|{_WIDE_COLON}|=>|ist|es|è){_S}{_WORD}",
    rf"(?i){_SALT}{_TAIL}{_BARE}{_PLAIN}{{8}}",
    # Any key, if the value is one run of a key's length.
    rf"(?i){_LOOSE}{_TAIL}{_TIGHT}{_RUN}",
    rf"(?i){_LOOSE}{_TAIL}{_BARE}{_RUN}",
    # Bytes of a key, one by one.
    (
        r"(?i)(?:key|secret|passw|\biv|_iv|salt|nonce)\w{0,16}(?:\[\w{0,8}\])?"
        rf"{_S}[:=]{{0,2}}{_S}(?:new[ ])?[\w\[\]]{{0,12}}[ \t]?[\[{{(]\s{{0,8}}{_NUMBER}{_NUMBER}"
    ),
    # The value in a member or an element of its own.
    (
        rf"(?i){_STRONG}{_TAIL}[\"']?{_S},?{_BREAK}{_S}[\"']?(?:\w{{1,16}}:)?(?:value|default)[\"']?"
        rf"{_S}[=:]{_S}[\"']?{_PLAIN}{{4}}"
    ),
    rf"(?i){_STRONG}{_TAIL}</[\w:]+>{_BREAK}<[\w:]+>[^\s<>]{{4}}",
    # Userinfo of a URL, HTTP authentication.
    r"""://[^\s/:"'`<>]{0,64}:[^\s/@"'`<>${]{3,96}@[\w\[]""",
    r"(?i)\b(?:basic|bearer|token)[ \t]{1,4}[A-Za-z0-9+/_\-.=~]{16}",
    r"""(?i)\bauthorization["'\s:=,]{1,8}(?:[a-z][a-z-]{1,15}[ \t]{1,4})?[A-Za-z0-9+/_\-.=~]{12}""",
    # Command lines.
    (
        r"(?i)-{1,2}[\w-]{0,16}(?:passw|passphr|pwd|secret|token|bearer|ap[ip]-?key|access-?key)"
        rf"{_TAIL}[ \t]{{1,4}}[\"']?{_PLAIN}{{4}}"
    ),
    (
        r"(?i)\b(?:curl|wget)\b(?:[^\n]|\\\n)*[ \t](?:-u|--(?:proxy-)?user)[ \t=]{0,4}"
        r"""["']?[^\s"':]{0,64}["']?:["']?[^\s"'$]{3}"""
    ),
    r"""(?i)\bcurl\b[^\n]{0,120}[ \t]-u[ \t]{0,4}["'][^\s"':]{8,64}:["']""",
    (
        rf"\b{_CLIENTS}\b[^\n|;]*[ \t]-{{1,2}}(?:[pPawu]|pass|passin|passout|auth)"
        r"""[ \t=]{0,2}["']?[^\s"'$-][^\s"'$]{3}"""
    ),
    r"\bchpasswd\b",
    r"(?i)ConvertTo-SecureString[ \t]{1,4}[^\n|]{4}",
    # Settings with a mere space.
    rf"(?i)\bENV[ \t]{{1,4}}\w{{0,24}}(?:{_STRONG}|pass)\w{{0,16}}[ \t]{{1,4}}{_PLAIN}{{6}}",
    (
        r"(?i)(?:requirepass|masterauth|bindpw|rootpw|rootdn_?pw|auth_pass)[ \t]{1,8}"
        r"""["']?[^\s"'${]{4}"""
    ),
    r"(?::543\d|:\*):[\w*-]{1,40}:[\w.@*-]{1,40}:[^\s:]{4}",
    # SQL.
    (
        r"(?i)\b(?:identified|password)[ \t]{1,8}(?:(?:with[ \t]{1,4}\S{1,40}[ \t]{1,4})?by[ \t]+"
        r"""|hash[ \t]{1,4})?(?:password[ \t]{1,4})?\\?["'][^"'\s]{4}"""
    ),
    r"""(?i)\bidentified[ \t]{1,4}by[ \t]{1,4}[^\s"'$<{]{4}""",
    r"""(?i)\b(?:user|role|login)\b[^\n;]{1,80}\bpassword[ \t]{1,4}=?[ \t]{0,4}[^\s"'$<{]{5}""",
    # A comparison that begins with the literal, a log-in.
    (
        r"""(?i)["'][^"'\s]{6,64}["'][ \t]{0,4}(?:[!=]==?|\.equals\()[ \t]{0,4}[\w.$>-]{0,24}"""
        r"(?:passw|pwd|secret|token)"
    ),
    (
        rf"""(?i){_LOGIN}[^\n"'`]{{0,48}}["'`][^"'`\n]{{0,64}}["'`]{_S},{_S}"""
        rf"""(?:[\w.]{{1,24}}{_S}[=:]{_S})?["'`][^"'`\s<{{(][^"'`\s]{{3}}"""
    ),
    # Prose and .netrc.
    r"(?i)(?:secret|token|key)[ \t]{1,4}is[ \t:]{1,4}[A-Za-z0-9+/=_\-]{12}",
    (
        r"(?i)\b(?:passw(?:or[dt]|d)|passphrase|passcode|pwd|pw)[ \t]{1,4}"
        r"""(?:(?:is|was|to|of|ist|=|for[ \t]\w{1,24}:?)[ \t]{0,4})?["'`]?[^\s"'`(){}<>,;]{0,12}"""
        r"""[0-9!@#$%^&*?][^\s"'`(){}<>]{2}"""
    ),
    # crypt(5).
    r"\$(?:apr1|1|2[aby]|5|6|y|argon2id?)\$[A-Za-z0-9./$=,]{16}",
)

TRIGGERS: tuple[bytes, ...] = tuple(expression.encode() for expression in _EXPRESSIONS)
"""Regexes in Hyperscan's syntax; where one ends, `find.candidates` looks."""
