"""Give an action its private Python environment, then become its command.

Usage::

    bootstrap.py FAMILY COMMAND [ARGUMENT...]    # provide the environment, run `airlock COMMAND`
    bootstrap.py --into FOLDER FAMILY            # only provide it, in a folder of yours

An environment holds exactly ``requirements/FAMILY.txt``, by hash, wheels only. It is kept outside
the workspace under a name that says what is in it, so later steps and jobs on the same machine
start at once. Neither the caller's Python nor a file of the checkout takes part in making it.

Standard library only, Python 3.11 to 3.14, Linux and macOS.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
REQUIREMENTS = SCRIPTS.parent / "requirements"
MARKER = ".airlock-environment"
"""Claims a folder as ours while it is empty, and holds its key once it is complete."""

COMPILED = "compiled"
"""Folder of an environment for Python's own compiled form of what runs in it."""

# Settings of pip and uv change what an installation does (--user, --target, --no-binary), and are
# none of ours. Kept are those that say how to reach the user's mirror.
KEPT = re.compile(
    r"(PIP|UV)_(.*INDEX.*|FIND_LINKS|OFFLINE|PROXY|KEYRING_PROVIDER|NATIVE_TLS|.*CERTS?|.*_HOST"
    r"|.*_TIMEOUT)|PIP_CONFIG_FILE"
)
# And what the step was given for the command is nothing to an installer: tokens and secrets.
SHED = re.compile(r"(PYTHON|PIP_|UV_|VIRTUAL_ENV|CONDA_PREFIX|AIRLOCK_|ACTIONS_|G(ITHUB|H)_TOKEN)")
# uv does not read pip's settings; a mirror that was named for pip serves both.
SAME = {"UV_DEFAULT_INDEX": "PIP_INDEX_URL", "SSL_CERT_FILE": "PIP_CERT"}


class SetupError(Exception):
    """The environment cannot be provided; the message is the line the user reads."""


def main(argv: list[str]) -> int:
    """Provide the environment that `argv` asks for; come back only if there is nothing to run."""
    try:
        command = prepare(argv)
    except SetupError as error:
        sys.stdout.write(f"::error title=Airlock::{error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    if command:
        os.execv(command[0], command)  # noqa: S606 - no shell is the point
    return 0


def prepare(argv: list[str]) -> list[str]:
    """Provide the environment and return the command to become in it; empty if there is none."""
    match argv:
        case ["--into", folder, family]:
            provide(Path(folder).absolute(), family, home(dict(os.environ)))
            return []
        case [family, *command] if command:
            cache = home(dict(os.environ))
            environment = cache / f"{family}-{key(lock_file(family))[:16]}"
            provide(environment, family, cache)
            # Unbuffered: the log of a killed job ends where the job did. A runner downloads actions
            # anew for each job; what Python made of them stays here, by path, time and size.
            compiled = f"pycache_prefix={environment / COMPILED}"
            python = [str(environment / "bin" / "python"), "-I", "-u", "-X", compiled]
            return [*python, str(SCRIPTS / "launch.py"), *command]
    raise SetupError("Usage: bootstrap.sh FAMILY COMMAND [ARGUMENT...].")


def home(environ: dict[str, str]) -> Path:
    """Return the folder that keeps our environments, made if need be, and owned by this user.

    A folder of another user, as in a tool cache that a container shares with its host, could hold
    anything under the right name.
    """
    if chosen := environ.get("AIRLOCK_HOME"):
        candidates = [Path(chosen).absolute()]
    else:
        user = environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
        tools = environ.get("RUNNER_TOOL_CACHE")
        candidates = [Path(base) / "airlock" for base in (tools, user) if base]
    for folder in candidates:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        if folder.stat().st_uid == os.getuid() and os.access(folder, os.W_OK | os.X_OK):
            return folder
    raise SetupError(f"{candidates[-1]}: not a folder of yours. Set AIRLOCK_HOME to one that is.")


def lock_file(family: str) -> Path:
    """Return the hash-locked requirements of `family`."""
    path = REQUIREMENTS / f"{family}.txt"
    if os.sep in family or not path.is_file():
        raise SetupError(f"{path.name}: no such lock in requirements/. Name one of its families.")
    return path


def key(lock: Path) -> str:
    """Return what an environment's contents follow from: the lock and the interpreter under it."""
    base = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    parts = (lock.read_bytes(), sys.version.encode(), os.uname().machine.encode(), bytes(base))
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def provide(environment: Path, family: str, cache: Path) -> None:
    """Make sure that `environment` is complete; at most one process works on it at a time."""
    lock = lock_file(family)
    if is_ready(environment, key(lock), "python"):
        return
    import fcntl  # noqa: PLC0415 - a warm start, which is most of them, needs none of these

    uv_lock = lock_file("uv")
    uv = cache / f"uv-{key(uv_lock)[:16]}"
    with (cache / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        # Installers inherit the guard: when a kill leaves one of them behind, nobody starts to
        # clear up while it still writes.
        if not is_ready(uv, key(uv_lock), "uv"):
            claim(uv)
            install_uv(uv, uv_lock, guard.fileno())
            complete(uv, key(uv_lock))
        if not is_ready(environment, key(lock), "python"):
            claim(environment)
            install(environment, lock, uv, cache, guard.fileno())
            complete(environment, key(lock))


def is_ready(folder: Path, expected: str, program: str) -> bool:
    """Tell whether `folder` is complete and what its `program` points at is still there."""
    try:
        complete = (folder / MARKER).read_text(encoding="utf-8") == expected
    except OSError:
        return False
    return complete and os.access(folder / "bin" / program, os.X_OK)


def claim(folder: Path) -> None:
    """Empty `folder` and mark it as ours; refuse one that holds what we did not put there."""
    import shutil  # noqa: PLC0415 - see provide

    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise SetupError(f"{folder}: not made by Airlock. Move it away, or name another folder.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()


def complete(folder: Path, contents: str) -> None:
    """Mark `folder` as complete, in one step that a kill cannot halve."""
    fresh = folder / f"{MARKER}.new"
    fresh.write_text(contents, encoding="utf-8")
    fresh.replace(folder / MARKER)


def install_uv(folder: Path, lock: Path, guard: int) -> None:
    """Install uv, which installs the rest ten times as fast as the pip that brings it."""
    base = getattr(sys, "_base_executable", sys.executable)
    seek = "import sys, importlib.util as u; sys.exit(not u.find_spec('pip'))"
    if run([base, "-I", "-c", seek], guard):
        raise SetupError(f"{base} has no pip. Add actions/setup-python, or install python3-pip.")
    pip = [base, "-I", "-m", "pip", "-qq", "--no-input", "--disable-pip-version-check"]
    options = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile", "--no-user"]
    target = ["--root-user-action=ignore", "--target", str(folder), "-r", str(lock)]
    check(run([*pip, "install", *options, *target], guard), lock)


def install(environment: Path, lock: Path, uv: Path, cache: Path, guard: int) -> None:
    """Make a virtual environment without pip, and install `lock` into it."""
    import venv  # noqa: PLC0415 - see provide

    venv.create(environment, symlinks=True)
    command = [str(uv / "bin" / "uv"), "pip", "install", "--quiet", "--no-config"]
    options = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--no-python-downloads"]
    paths = ["--cache-dir", str(cache / "wheels"), "--python", str(environment / "bin" / "python")]
    check(run([*command, *options, *paths, "-r", str(lock)], guard), lock)


def run(command: list[str], guard: int) -> int:
    """Run an installer where it finds no configuration but the user's index settings."""
    import subprocess  # noqa: PLC0415 - see provide

    kept = {n: v for n, v in os.environ.items() if KEPT.fullmatch(n) or not SHED.match(n)}
    same = {uv: kept[pip] for uv, pip in SAME.items() if pip in kept}
    # The root folder: uv looks for its configuration upwards from where it runs.
    done = subprocess.run(
        command, cwd="/", env=same | kept, stdout=sys.stderr, pass_fds=(guard,), check=False
    )
    return done.returncode


def check(code: int, lock: Path) -> None:
    """Turn an installer's exit code into the line that the user reads."""
    if code:
        raise SetupError(
            f"requirements/{lock.name} could not be installed (exit code {code}, see the lines"
            " above). Check that this machine reaches its Python package index, and try again."
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
