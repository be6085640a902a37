"""Our scan for detect-secrets' plugins against detect-secrets' own, on real files and made ones."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import sysconfig
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import default_settings, transient_settings
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airlock.leaks.stock import StockScanner
from airlock.leaks.stock.lines import LARGEST, LINES
from airlock.leaks.stock.scanner import BLANKS, LONG
from unit.leaks.support import ALNUM, HEX, rand

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detect_secrets.core.potential_secret import PotentialSecret

SCANNER = StockScanner()
REPOSITORY = Path(__file__).parents[4]
USUAL = "detect_secrets.filters."

Seen = set[tuple[str, str, int]]


def seen(found: Iterable[PotentialSecret]) -> Seen:
    """Return type, hash and line, of each type and value where it stands first."""
    first: dict[tuple[str, str], int] = {}
    for each in found:
        first.setdefault((each.type, each.secret_hash), each.line_number)
    return {(*key, line) for key, line in first.items()}


def ours(path: Path, scanner: StockScanner = SCANNER) -> Seen:
    return seen(scanner.scan(str(path), path.read_bytes()))


def stocks(path: Path) -> Seen:
    with default_settings():
        return seen(scan_file(str(path)))


def sample() -> list[Path]:
    """Return some of the files that are here anyway: this repository's, and installed packages."""
    roots = (REPOSITORY / "scripts", REPOSITORY / "tests", Path(sysconfig.get_path("purelib")))
    files = [
        path
        for root in roots
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and "node_modules" not in path.parts
        and path.suffix not in {".pyc", ".so"}
        and path.stat().st_size < 40_000
    ]
    chosen = random.Random("stock").sample(  # noqa: S311 - the same every time
        files, len(files)
    )
    kept: list[Path] = []
    size = 0
    for path in chosen:
        size += path.stat().st_size
        if size > 500_000:
            return kept
        kept.append(path)
    return kept


def test_on_real_files_the_findings_are_the_same() -> None:
    files = sample()
    assert len(files) > 50
    for path in files:
        assert ours(path) == stocks(path), path


def fakes() -> dict[str, str]:
    """Return a fake value of each kind that a plugin knows, by plugin."""
    return {
        "ArtifactoryDetector": " AKC" + rand("artifactory", 30),
        "AWSKeyDetector": "AKIA" + rand("aws", 16, ALNUM.upper()),
        "AzureStorageKeyDetector": "AccountKey=" + rand("azure", 86) + "==",
        "BasicAuthDetector": f"https://user:{rand('basic', 12)}@host.example/",
        "CloudantDetector": f"cloudant_password = '{rand('cloudant', 64, HEX)}'",
        "DiscordBotTokenDetector": f"M{rand('d1', 23)}.{rand('d2', 6)}.{rand('d3', 27)}",
        "GitHubTokenDetector": "gh" + "p_" + rand("github", 36),
        "GitLabTokenDetector": "glpa" + "t-" + rand("gitlab", 20),
        "IbmCloudIamDetector": f"ibm_cloud_iam_key: '{rand('iam', 44)}'",
        "IbmCosHmacDetector": f"cos_hmac_secret_access_key = '{rand('cos', 48, HEX)}'",
        "IPPublicDetector": "8.8.4.4",
        "JwtTokenDetector": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0." + rand("jwt", 43),
        "MailchimpDetector": rand("mailchimp", 32, HEX) + "-us12",
        "NpmDetector": f"//registry.example/:_authToken=npm_{rand('npm', 36)}",
        "OpenAIDetector": f"sk-{rand('o1', 20)}T3Blbk" + f"FJ{rand('o2', 20)}",
        "PrivateKeyDetector": "-----BEGIN RSA PRIVATE " + "KEY-----",
        "PypiTokenDetector": "pypi-AgEIcHlw" + "aS5vcmc" + rand("pypi", 80),
        "SendGridDetector": f"SG.{rand('s1', 22)}.{rand('s2', 43)}",
        "SlackDetector": "xox" + f"b-123456789-{rand('slack', 24)}",
        "SoftlayerDetector": f"softlayer_api_key = '{rand('soft', 64, HEX)}'",
        "SquareOAuthDetector": "sq0cs" + "p-" + rand("square", 43),
        "StripeDetector": "sk_li" + "ve_" + rand("stripe", 24),
        "TelegramBotTokenDetector": f"110201543:{rand('telegram', 35)}",
        "TwilioKeyDetector": "SK" + rand("twilio", 32, HEX),
        "Base64HighEntropyString": f"'{rand('base64', 40)}'",
        "HexHighEntropyString": f'"{rand("hex", 40, HEX)}"',
        "KeywordDetector": f"password = '{rand('keyword', 12)}'",
    }


NAMES = ("a.py", "a.txt", "a.yml", "a.yaml", "a.ini", "a.go", "a.cpp", "a.toml", "Makefile", ".env")


@pytest.mark.parametrize("plugin", fakes())
def test_every_plugin_finds_its_kind(tmp_path: Path, plugin: str) -> None:
    value = fakes()[plugin]
    alone = StockScanner([{"name": plugin}])
    for name in NAMES:
        path = tmp_path / name
        for form in ("{}\n", "x: {}\n", "[a]\nx = {}\n", "é\r\n  {}  ", "{0}\n# pragma\n{0}"):
            path.write_bytes(form.format(value).encode())
            assert ours(path) == stocks(path)
        path.write_text(f"{value}\n")
        with transient_settings({"plugins_used": [{"name": plugin}]}):
            assert seen(scan_file(str(path))) == ours(path, alone)


def test_all_plugins_are_asked() -> None:
    assert len(fakes()) == 27
    unfiltered = StockScanner(None, [])
    found = set()
    for value in fakes().values():
        found |= {kind for kind, _, _ in seen(unfiltered.scan("a.js", f"{value}\n".encode()))}
    assert len(found) == 27


WORDS = st.sampled_from(
    (
        *(
            "password",
            "Secret",
            "api_key",
            "\u017fecret",
            "Kontraseña",
            "apiKey",
            "db_pass",
            "pwd",
            "é",
        ),
        *(
            "=",
            ":",
            ":=",
            "=>",
            "==",
            "!=",
            " = ",
            ": ",
            "(",
            ")",
            "[",
            "]",
            "'",
            '"',
            "`",
            ";",
            ",",
        ),
        *(
            " ",
            "   ",
            "\t",
            "\n",
            "\r\n",
            "\x0b",
            "\x0c",
            "\u2028",
            "\x85",
            "- ",
            "#",
            "//",
            "$",
            "{",
            "}",
        ),
        *(
            "# pragma: allowlist secret",
            "# pragma: allowlist nextline secret",
            "get_it()",
            "id_",
            "[s]",
        ),
        *(
            "hunter2",
            rand("w1", 24),
            rand("w2", 30, HEX),
            "0123456789",
            "1.2.3.4",
            "\\",
            "&a ",
            "*a",
        ),
        *fakes().values(),
    )
)
CONTENTS = st.lists(WORDS, max_size=14).map("".join)


@settings(max_examples=300, deadline=None)
@given(content=CONTENTS, name=st.sampled_from(NAMES))
@example(content='passwordé = "hunter22"', name="a.py")
@example(content='pa\u017f\u017fword = "hunter22"', name="a.py")
@example(content="password:\n  " + rand("multi", 40), name="a.txt")
@example(content="[s]\npassword = a\n  b\n", name="a.ini")
@example(content="a: &x\n  secret: hunter22\nb: *x\n", name="a.yml")
@example(content="k: \"a\\nsecret: 'hunter22'\"\n", name="a.yml")
def test_on_made_files_the_findings_are_the_same(
    content: str, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"{os.getpid()}-{name}"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    try:
        expected = stocks(path)
    except Exception:  # noqa: BLE001 - what ends a stock scan (a value of YAML, mostly) ends none of ours
        ours(path)
        return
    assert ours(path) == expected


def test_what_stock_does_not_read_is_not_read() -> None:
    """Named in the notes on detect-secrets: by name, and what is not UTF-8."""
    line = f"token = '{fakes()['StripeDetector']}'\n".encode()
    assert SCANNER.scan("a.py", line)
    for name in ("a.css", "logo.svg", "poetry.lock", "package-lock.json", "api/swagger/a.py"):
        assert not SCANNER.scan(name, line)
    assert not SCANNER.scan("a.py", b"# \xe9\n" + line)


def test_filters_and_plugins_are_those_of_a_baseline(tmp_path: Path) -> None:
    secret = fakes()["StripeDetector"]
    path = tmp_path / "a.py"
    path.write_text(f"x = '{secret}'\npassword = 'hunter22'\nip = '8.8.4.4'\n")
    config: dict[str, Any] = {
        "plugins_used": [
            {"name": "StripeDetector"},
            {"name": "KeywordDetector", "keyword_exclude": "nothing"},
            {"name": "IPPublicDetector"},
            {"name": "Base64HighEntropyString", "limit": 3.0},
        ],
        "filters_used": [
            {"path": f"{USUAL}heuristic.is_sequential_string"},
            {"path": f"{USUAL}regex.should_exclude_line", "pattern": ["^ip"]},
            {"path": f"{USUAL}regex.should_exclude_secret", "pattern": ["hunter"]},
            {"path": f"{USUAL}regex.should_exclude_file", "pattern": ["nowhere"]},
        ],
    }
    scanner = StockScanner(config["plugins_used"], config["filters_used"])
    assert scanner.unsupported == ()
    with transient_settings(config):
        expected = seen(scan_file(str(path)))
    assert expected
    assert ours(path, scanner) == expected
    excluding = [{"path": f"{USUAL}regex.should_exclude_file", "pattern": [r"\.py$"]}]
    assert not ours(path, StockScanner(None, excluding))
    itself = [{"path": f"{USUAL}common.is_baseline_file", "filename": "a.py"}]
    assert not ours(path, StockScanner(None, itself))


def test_nothing_of_a_baseline_is_run(tmp_path: Path) -> None:
    trap = tmp_path / "trap.py"
    ran = tmp_path / "ran"
    trap.write_text(f"open({str(ran)!r}, 'w')\ndef skip(secret): return True\n")
    scanner = StockScanner(
        [
            {"name": "StripeDetector"},
            {"name": "Trap", "path": f"file://{trap}"},
            {"name": "KeywordDetector", "path": f"file://{trap}"},
            {"name": "Unknown"},
        ],
        [{"path": f"file://{trap}::skip"}, {"path": "os.getenv"}],
    )
    assert scanner.scan("a.py", fakes()["StripeDetector"].encode())
    assert not ran.exists()
    assert scanner.unsupported == (
        *("Trap", "KeywordDetector", "Unknown", f"file://{trap}::skip", "os.getenv"),
    )


def test_nothing_is_verified_over_the_network() -> None:
    """Not even where detect-secrets' own settings ask for it."""
    script = textwrap.dedent(
        """
        import sys
        def refuse(event, args):
            if event.startswith("socket."):
                raise SystemExit("the network was asked: " + event)
        from airlock.leaks.stock import StockScanner
        from detect_secrets.settings import get_settings
        path = "detect_secrets.filters.common.is_ignored_due_to_verification_policies"
        get_settings().filters[path] = {"path": path, "min_level": 2}
        sys.addaudithook(refuse)
        text = sys.stdin.buffer.read()
        found = StockScanner(None, [{"path": path, "min_level": 2}]).scan("a.js", text)
        print(len(found), any(each.is_verified for each in found))
        """
    )
    text = "\n".join(fakes().values())
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY / "scripts")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=text.encode(),
        capture_output=True,
        env=environ,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    count, verified = done.stdout.split()
    assert int(count) >= 26
    assert verified == b"False"


SLOW = {
    "blanks": "password" + " " * 500 + "x",
    "blanks twice": ("password =" + " " * 500) * 2,
    "keywords": "password" * 3000,
    "quotes": "'a`" * 20_000 + " == password",
    "backticks": "`a" * 30_000,
    "references": "a = b(" * 300,
    "comments": "#" + " " * 900 + "pragma",
    "urls": "://a:b" * 10_000,
    "dashes": "xoxb-" + "1-" * 30_000,
}


@pytest.mark.parametrize("kind", SLOW)
def test_hostile_lines_take_little_time(kind: str) -> None:
    line = SLOW[kind].encode() + b"\n"
    start = time.thread_time()
    SCANNER.scan("a.conf", line * (300_000 // len(line)))
    assert time.thread_time() - start < 30


def test_hostile_files_take_little_time() -> None:
    bomb = "a0: &a0 [x, y]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
    )
    loop = "a: &a\n  b: *a\n"
    laughs = (
        "[s]\n" + "a0 = xx\n" + "".join(f"a{n} = {f'%(a{n - 1})s' * 10}\n" for n in range(1, 10))
    )
    defaults = "[DEFAULT]\n" + "".join(f"k{n} = v\n" for n in range(3000))
    defaults += "".join(f"[s{n}]\n" for n in range(3000))
    deep = "[" * 100_000
    huge = "a: b\n" * (LARGEST // 4)
    pairs = "[s]\n" + "".join(f"a{n}=b\n" for n in range(3 * LINES))
    start = time.thread_time()
    for text in (bomb, loop, deep, huge):
        SCANNER.scan("a.yml", text.encode())
    for text in (laughs, defaults, pairs):
        SCANNER.scan("a.ini", text.encode())
        SCANNER.scan("README", text.encode())
    assert time.thread_time() - start < 60


def test_the_differences_are_those_that_are_named(tmp_path: Path) -> None:
    """Of long lines every value is seen that fits a part; runs of blanks are seen shorter."""
    filling = "var a=b;" * (LONG // 4)
    path = tmp_path / "a.js"
    path.write_text(f"{filling}{fakes()['StripeDetector']};{filling}password='{rand('x', 9)}';\n")
    assert ours(path) >= stocks(path)
    assert len(stocks(path)) == 2
    path.write_text("password = 'a" + " " * (BLANKS + 1) + "b1'\n")
    assert len(ours(path)) == len(stocks(path)) == 1
    assert ours(path) != stocks(path)


def test_two_secrets_of_a_line_have_the_same_order_in_every_process() -> None:
    text = f"x = '{fakes()['StripeDetector']}', '{rand('y', 40)}', '{rand('z', 40)}'\n".encode()
    found = [(each.type, each.secret_hash) for each in SCANNER.scan("a.py", text)]
    assert len(found) == len(set(found)) == 3
    script = (
        "import sys; from airlock.leaks.stock import StockScanner as S\n"
        "print([e.secret_hash for e in S().scan('a.py', sys.stdin.buffer.read())])"
    )
    outputs = set()
    for seed in ("1", "2", "3"):
        environ = {"PYTHONPATH": str(REPOSITORY / "scripts"), "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", script], input=text, capture_output=True, env=environ, check=True
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert re.findall(rb"[0-9a-f]{40}", outputs.pop())


def test_without_plugins_nothing_is_found() -> None:
    assert StockScanner([]).scan("a.py", fakes()["StripeDetector"].encode() + b"\0" * 20) == []
