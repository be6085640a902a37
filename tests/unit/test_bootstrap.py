"""The set-up of an action, run as actions run it: real shell, real installers, real locks."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 200.0
"""Real seconds after which nothing will come any more, however busy the machine is."""
FILES = ("scripts/bootstrap.sh", "scripts/bootstrap.py", "scripts/launch.py", "requirements/uv.txt")

COMMAND = """\
import importlib.util, json, os, signal, sys

def main():
    if "wait" in sys.argv:
        try:
            print(os.getpid())
            signal.pause()
        except KeyboardInterrupt:
            return 77
    if "read" in sys.argv:
        print(sys.stdin.read(), end="")
        return 0
    modules = ("iniconfig", "pip", "evil", "google")
    print(json.dumps({
        "argv": sys.argv[1:],
        "cwd": os.getcwd(),
        "isolated": sys.flags.isolated,
        "prefix": sys.prefix,
        "modules": [name for name in modules if importlib.util.find_spec(name)],
    }))
    return 3
"""


@dataclass(frozen=True)
class Product:
    """A small product: the real bootstrap, a family `tiny` of one package, and a command."""

    root: Path
    home: Path

    @property
    def lock(self) -> Path:
        return self.root / "requirements" / "tiny.txt"

    def environment(self) -> Path:
        (found,) = self.home.glob("tiny-*")
        return found

    def start(self, *arguments: str, cwd: Path | None = None, **environ: str) -> Any:
        return subprocess.Popen(
            [str(self.root / "scripts" / "bootstrap.sh"), *(arguments or ("tiny", "hello"))],
            cwd=cwd or self.root,
            env={**os.environ, "AIRLOCK_HOME": str(self.home), **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, cwd: Path | None = None, **environ: str) -> tuple[int, str, str]:
        process = self.start(*arguments, cwd=cwd, **environ)
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out, err


@pytest.fixture(scope="session")
def first_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with uv, which takes longest, a warm cache of wheels, and the environment."""
    product = lay_out(tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("home"))
    code, _, err = product.run()
    assert code == 3, err
    shutil.rmtree(product.environment() / "compiled")
    return product.home


@pytest.fixture
def ready(tmp_path: Path, first_home: Path) -> Product:
    """A product whose environment is there."""
    home = tmp_path / "home"
    shutil.copytree(first_home, home, symlinks=True, copy_function=os.link)
    return lay_out(tmp_path / "product", home)


@pytest.fixture
def product(ready: Product) -> Product:
    """A product whose environment is still to be made."""
    shutil.rmtree(ready.environment())
    return ready


def lay_out(root: Path, home: Path) -> Product:
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, root / name)
    (root / "requirements" / "tiny.txt").write_text(one_package("iniconfig"), encoding="utf-8")
    package = root / "scripts" / "airlock"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(COMMAND, encoding="utf-8")
    return Product(root, home)


def one_package(name: str) -> str:
    """Cut one pure-Python package out of a real lock."""
    lock = (ROOT / "requirements" / "deploy.txt").read_text(encoding="utf-8")
    lines = lock[lock.index(f"\n{name}==") + 1 :].splitlines()
    return "\n".join([lines[0], *(line for line in lines[1:3] if "--hash" in line)]) + "\n"


class Index(BaseHTTPRequestHandler):
    """A package index that has nothing, or, if it `hangs`, never says so."""

    def do_GET(self) -> None:
        server: Any = self.server
        server.asked.set()
        if server.hangs:
            server.released.wait()
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Stay silent."""


@contextlib.contextmanager
def index(*, hangs: bool) -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    server.hangs, server.asked, server.released = hangs, threading.Event(), threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}/simple"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()


def test_the_command_runs_isolated_with_exactly_the_lock_where_the_caller_is(
    product: Product, tmp_path: Path
) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    code, out, err = product.run("tiny", "hello", "two words", cwd=workspace)
    assert (code, err) == (3, "")
    assert json.loads(out) == {
        "argv": ["hello", "two words"],
        "cwd": str(workspace),
        "isolated": 1,
        "prefix": str(product.environment()),
        "modules": ["iniconfig"],
    }
    assert not list(workspace.iterdir())


def test_an_action_that_is_downloaded_anew_is_not_compiled_anew(ready: Product) -> None:
    ready.run()
    compiled = ready.environment() / "compiled"
    (kept,) = [file for file in compiled.rglob("*.pyc") if file.name.startswith("__main__")]
    assert not list(ready.root.rglob("*.pyc"))
    before = kept.stat().st_ino
    # As it comes from an archive: other files, with the times that they had.
    for file in (ready.root / "scripts" / "airlock").iterdir():
        fresh = file.with_suffix(".new")
        shutil.copy2(file, fresh)
        fresh.replace(file)
    ready.run()
    assert kept.stat().st_ino == before
    main = ready.root / "scripts" / "airlock" / "__main__.py"
    main.write_text("def main():\n    return 5\n", encoding="utf-8")
    assert ready.run()[0] == 5


def test_a_second_run_needs_no_installer(ready: Product) -> None:
    for uv in ready.home.glob("uv-*"):
        shutil.rmtree(uv)
    with index(hangs=True) as server:
        assert ready.run(PIP_INDEX_URL=server.url, UV_DEFAULT_INDEX=server.url)[0] == 3
        assert not server.asked.is_set()


def test_another_lock_is_another_environment(ready: Product) -> None:
    ready.lock.write_text(one_package("pluggy"), encoding="utf-8")
    code, out, _ = ready.run()
    assert code == 3
    assert json.loads(out)["modules"] == []
    assert len(list(ready.home.glob("tiny-*"))) == 2


def test_nothing_of_the_checkout_takes_part(product: Product, tmp_path: Path) -> None:
    workspace = tmp_path / "hostile"
    workspace.mkdir()
    with index(hangs=False) as server:
        for name in ("evil.py", "json.py", "sitecustomize.py", "airlock.py"):
            (workspace / name).write_text("raise SystemExit('evil ran')\n", encoding="utf-8")
        for name in ("uv.toml", "pip.conf"):
            (workspace / name).write_text(f"index-url = '{server.url}'\n", encoding="utf-8")
        (workspace / "pyproject.toml").write_text(
            f"[tool.uv.pip]\nindex-url = '{server.url}'\n", encoding="utf-8"
        )
        code, out, err = product.run(
            "tiny",
            "hello",
            cwd=workspace,
            PYTHONPATH=str(workspace),
            PYTHONSTARTUP=str(workspace / "evil.py"),
            PYTHONHOME=str(workspace),
            PIP_TARGET=str(workspace / "target"),
            PIP_USER="1",
            PIP_REQUIRE_VIRTUALENV="1",
            UV_NO_BINARY=":all:",
            UV_TARGET=str(workspace / "target"),
            UV_CONFIG_FILE=str(workspace / "uv.toml"),
            UV_PYTHON="python2",
            VIRTUAL_ENV=str(workspace),
        )
        assert not server.asked.is_set()
    assert (code, err) == (3, "")
    assert json.loads(out)["modules"] == ["iniconfig"]
    assert not (workspace / "target").exists()


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_the_users_mirror_is_asked_and_its_refusal_is_one_line(product: Product, name: str) -> None:
    with index(hangs=False) as server:
        code, out, _ = product.run(**{name: server.url})
        assert server.asked.is_set()
    assert code == 2
    assert out.startswith("::error title=Airlock::requirements/tiny.txt could not be installed")
    assert len(out.splitlines()) == 1
    assert product.run()[0] == 3


def test_an_installer_is_given_no_secret() -> None:
    ours = ("AIRLOCK_TOKEN", "AIRLOCK_NEEDLES", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "GITHUB_TOKEN")
    run = f"import runpy; run = runpy.run_path({str(ROOT / FILES[1])!r})['run']; "
    installer = [sys.executable, "-c", "import os; print(sorted(os.environ))"]
    done = subprocess.run(
        [sys.executable, "-c", f"{run}run({installer!r}, 2)"],
        env={**dict.fromkeys(ours, "x"), "PIP_INDEX_URL": "y", "PIP_TARGET": "z"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "'PIP_INDEX_URL'" in done.stderr
    assert [name for name in (*ours, "PIP_TARGET") if name in done.stderr] == []


def test_a_package_of_another_hash_is_refused(product: Product) -> None:
    name, _ = one_package("iniconfig").split(" ", 1)
    product.lock.write_text(f"{name} --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    code, out, err = product.run()
    assert code == 2
    assert "Hash mismatch" in err
    assert "could not be installed" in out


def test_a_killed_set_up_does_not_look_finished(product: Product) -> None:
    with index(hangs=True) as server:
        process = product.start(UV_DEFAULT_INDEX=server.url)
        assert server.asked.wait(PATIENCE)
        process.kill()
        process.wait()
        assert product.environment().is_dir()
        # The installer lives on: nobody may clear up under it, and it must not be for ever.
        second = product.start()
        server.released.set()
        out, err = second.communicate(timeout=PATIENCE)
    assert second.returncode == 3, err
    assert json.loads(out)["modules"] == ["iniconfig"]
    process.communicate()


def test_a_cancelled_set_up_says_no_word(product: Product) -> None:
    with index(hangs=True) as server:
        process = product.start(UV_DEFAULT_INDEX=server.url)
        assert server.asked.wait(PATIENCE)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert (out, "Traceback" in err) == ("", False)


def test_jobs_that_race_share_one_environment(product: Product) -> None:
    processes = [product.start() for _ in range(4)]
    outputs = [json.loads(process.communicate(timeout=PATIENCE)[0]) for process in processes]
    assert [process.returncode for process in processes] == [3] * 4
    assert {output["prefix"] for output in outputs} == {str(product.environment())}


def test_an_environment_whose_python_is_gone_is_made_again(ready: Product) -> None:
    python = ready.environment() / "bin" / "python"
    python.unlink()
    python.symlink_to("/nonexistent/python")
    assert ready.run()[0] == 3


def test_the_process_that_the_runner_signals_is_the_command(ready: Product) -> None:
    process = ready.start("tiny", "wait")
    assert int(process.stdout.readline()) == process.pid
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE) == 77
    process.communicate()


def test_the_command_reads_what_the_caller_sends(ready: Product) -> None:
    process = ready.start("tiny", "read")
    assert process.communicate("from the caller", timeout=PATIENCE) == ("from the caller", "")


def test_into_makes_a_folder_of_the_users_choice_once(product: Product, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "venv"
    assert product.run("--into", str(folder), "tiny") == (0, "", "")
    before = (folder / "pyvenv.cfg").stat().st_mtime_ns
    assert product.run("--into", str(folder), "tiny") == (0, "", "")
    assert (folder / "pyvenv.cfg").stat().st_mtime_ns == before


def test_into_leaves_a_folder_alone_that_is_not_ours(product: Product, tmp_path: Path) -> None:
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "work.txt").write_text("years of it", encoding="utf-8")
    code, out, _ = product.run("--into", str(folder), "tiny")
    assert code == 2
    assert out == (
        f"::error title=Airlock::{folder}: not made by Airlock."
        " Move it away, or name another folder.\n"
    )
    assert [path.name for path in folder.iterdir()] == ["work.txt"]


@pytest.mark.parametrize("arguments", [("nosuch", "hello"), ("../uv", "x"), ("tiny",), ("--into",)])
def test_a_wrong_call_is_one_line(ready: Product, arguments: tuple[str, ...]) -> None:
    code, out, err = ready.run(*arguments)
    assert (code, err, len(out.splitlines())) == (2, "", 1)
    assert out.startswith("::error title=Airlock::")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_home_of_another_user_is_not_trusted(ready: Product, tmp_path: Path) -> None:
    os.chown(ready.home, 12345, 12345)
    code, out, _ = ready.run()
    assert code == 2
    assert out.endswith("not a folder of yours. Set AIRLOCK_HOME to one that is.\n")
    tools, user = tmp_path / "tools", tmp_path / "user"
    (tools / "airlock").mkdir(parents=True)
    os.chown(tools / "airlock", 12345, 12345)
    user.mkdir()
    ready.home.rename(user / "airlock")
    os.chown(user / "airlock", 0, 0)
    code, out, _ = ready.run(
        AIRLOCK_HOME="", XDG_CACHE_HOME=str(user), RUNNER_TOOL_CACHE=str(tools)
    )
    assert code == 3
    assert json.loads(out)["prefix"].startswith(str(user / "airlock"))


# --- Finding a Python -------------------------------------------------------------------------


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with what the shell script needs, and no Python."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("bash", "dirname", "env", "uname"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return folder


def fake(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
    path.chmod(0o755)


# What the shell asks a Python first is where it is, if it suits; what it becomes gets the name of
# the script.
SUITS = 'case "$*" in *bootstrap.py*) echo "$0 $*";; *) echo "$0";; esac'
TOO_OLD = 'case "$*" in *bootstrap.py*) echo "$0 $*";; *) exit 1;; esac'


@pytest.mark.parametrize("system", ["MINGW64_NT-10.0 x86_64", "Linux riscv64", "FreeBSD amd64"])
def test_other_platforms_are_refused(product: Product, tools: Path, system: str) -> None:
    (tools / "uname").unlink()
    fake(tools / "uname", f"echo '{system}'")
    code, out, err = product.run(PATH=str(tools))
    assert (code, err) == (2, "")
    assert out == (
        "::error title=Airlock::Airlock runs on Linux (x64, arm64) and macOS runners,"
        f" not on {system}. Set runs-on to one of those.\n"
    )


def test_no_python_is_one_line(product: Product, tools: Path) -> None:
    fake(tools / "python3", TOO_OLD)
    code, out, err = product.run(PATH=str(tools), RUNNER_TOOL_CACHE="")
    assert (code, err) == (2, "")
    assert out.startswith("::error title=Airlock::No Python 3.11 to 3.14 on this runner.")


def test_an_old_python_gives_way_to_a_newer_one_on_the_path(product: Product, tools: Path) -> None:
    fake(tools / "python3", TOO_OLD)
    fake(tools / "python3.12", SUITS)
    _, out, _ = product.run(PATH=str(tools))
    assert out == (
        f"{tools}/python3.12 -I {product.root.resolve()}/scripts/bootstrap.py tiny hello\n"
    )


def test_the_newest_python_of_the_tool_cache_comes_last(
    product: Product, tools: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "tool cache"
    for version in ("3.9.1", "3.11.9", "3.13.2"):
        fake(cache / "Python" / version / "x64" / "bin" / "python3", SUITS)
    _, out, _ = product.run(PATH=str(tools), RUNNER_TOOL_CACHE=str(cache))
    assert out.startswith(f"{cache}/Python/3.13.2/x64/bin/python3 -I ")


def test_a_python_of_the_checkout_is_not_run(product: Product, tools: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    fake(workspace / "python3", SUITS)
    code, out, _ = product.run(cwd=workspace, PATH=f".:{tools}", RUNNER_TOOL_CACHE="")
    assert code == 2
    assert "No Python" in out
