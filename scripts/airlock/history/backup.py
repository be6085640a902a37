"""The way back: all refs and rules as they were, for nobody but who holds the key.

A backup holds the secret. So it is encrypted while it is written, to a recipient that the user
gives; the key to open it is never here. It is one line of JSON and, behind it, git's bundle:
``age -d -i KEY airlock-backup.age | tail -n +2 > repository.bundle`` gets it without us.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import msgspec
import pyrage

from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from airlock.git import Git
    from airlock.github.administration import Rules

_BLOCK = 1 << 20
_PGP = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_LONGEST_LINE = 64 * 2**20
_HINT = "Give an age recipient (age1…, from `age-keygen`), an SSH public key or a PGP public key"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself.

    Args:
        repository: ``owner/name``.
        made: Unix seconds.
        head: The default branch.
        refs: Id of every ref of the server, by full name.
        rulesets: As GitHub answered.
        protections: By branch, as GitHub answered.
    """

    version: int = 1
    repository: str
    made: float
    head: str
    refs: dict[str, str]
    rulesets: list[dict[str, Any]] = []
    protections: dict[str, dict[str, Any]] = {}


class _Recipient(Protocol):
    """One of pyrage's."""


def manifest(
    repository: str, head: str, refs: Mapping[str, str], rules: Rules | None, *, now: float
) -> Manifest:
    """Return what a backup of now says of itself."""
    return Manifest(
        repository=repository,
        made=now,
        head=head,
        refs=dict(refs),
        rulesets=list(rules.rulesets) if rules else [],
        protections=dict(rules.protections) if rules else {},
    )


def save(
    git: Git, said: Manifest, recipients: str, target: Path, environ: Mapping[str, str]
) -> int:
    """Write a backup of all refs of a mirror and return its size in bytes.

    Args:
        git: The mirror.
        said: Its manifest.
        recipients: Public keys, see `_HINT`; one a line, or one PGP block.
        target: File; written anew.
        environ: For ``PATH``, where gpg is looked for.

    Raises:
        AirlockError: No recipient, one that is none, or the file cannot be written.
        GitError: The bundle cannot be made.
    """
    head = msgspec.json.encode(said) + b"\n"
    blocks = _chain(head, git.stream("bundle", "create", "--quiet", "-", "--all"))
    seal(blocks, recipients, target, environ)
    return target.stat().st_size


def seal(
    blocks: Iterable[bytes], recipients: str, target: Path, environ: Mapping[str, str]
) -> None:
    """Encrypt `blocks` to `recipients` into a file; a file that is not whole is not left.

    Raises:
        AirlockError: As `save`.
    """
    keys = recipients.strip()
    if not keys:
        raise AirlockError("nobody to encrypt the backup to", where="recipient", fix=_HINT)
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            part.chmod(0o600)
            if _PGP in keys:
                _gpg(blocks, keys, file, environ)
            else:
                pyrage.encrypt_io(_Reader(blocks), file, _age(keys))
        part.rename(target)
    except OSError as error:
        raise AirlockError(f"cannot be written ({error.strerror})", where=str(target)) from None
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def opened(path: Path, identity: Path | None, folder: Path) -> Iterator[tuple[Manifest, Path]]:
    """Decrypt a backup; yield its manifest and its bundle, which is gone afterwards.

    Args:
        path: The backup.
        identity: File with the age identity or the unencrypted SSH key; None for gpg's own keys.
        folder: Private folder for the bundle.

    Raises:
        AirlockError: It cannot be decrypted with this key, or is no backup.
    """
    bundle = folder / "backup.bundle"
    try:
        with path.open("rb") as source, bundle.open("w+b") as plain:
            bundle.chmod(0o600)
            _decrypt(source, plain, identity, path)
            plain.seek(0)
            said = _manifest(plain.readline(_LONGEST_LINE), path)
            rest = plain.tell()
            _drop_head(plain, rest)
        yield said, bundle
    except OSError as error:
        where = str(error.filename or path)
        raise AirlockError(f"cannot be read ({error.strerror})", where=where) from None
    finally:
        bundle.unlink(missing_ok=True)


def _decrypt(source: IO[bytes], plain: IO[bytes], identity: Path | None, path: Path) -> None:
    if source.read(21) == b"age-encryption.org/v1":
        source.seek(0)
        if identity is None:
            raise AirlockError("no key to open it", where=str(path), fix="Name one with --identity")
        try:
            pyrage.decrypt_io(source, plain, _identities(identity))
        except pyrage.DecryptError:
            raise AirlockError(
                "not for this key, or damaged", where=str(path), fix="Use the recipient's own key"
            ) from None
        return
    os.lseek(source.fileno(), 0, os.SEEK_SET)
    done = subprocess.run(
        ["gpg", "--batch", "--quiet", "--decrypt"],
        stdin=source,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise AirlockError(
            "gpg cannot decrypt it", where=str(path), fix="Import the recipient's key"
        )
    plain.write(done.stdout)


def _identities(path: Path) -> Sequence[Any]:
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.startswith("AGE-SECRET-KEY-")]
    try:
        if lines:
            return [pyrage.x25519.Identity.from_str(line) for line in lines]
        return [pyrage.ssh.Identity.from_buffer(text.encode())]
    except pyrage.IdentityError:
        raise AirlockError(
            "not a key that opens age files", where=str(path), fix="Use the file of `age-keygen`"
        ) from None


def _age(keys: str) -> list[_Recipient]:
    made: list[_Recipient] = []
    for line in keys.splitlines():
        key = line.strip()
        if not key or key.startswith("#"):
            continue
        try:
            kind = pyrage.ssh if key.startswith("ssh-") else pyrage.x25519
            made.append(kind.Recipient.from_str(key))
        except (pyrage.RecipientError, ValueError):
            raise AirlockError("not a public key", where="recipient", fix=_HINT) from None
    return made


def _gpg(blocks: Iterable[bytes], key: str, file: IO[bytes], environ: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory(prefix="airlock-") as home:
        public = Path(home) / "recipient.asc"
        public.write_text(key, encoding="utf-8")
        command = ["gpg", "--batch", "--quiet", "--no-tty", "--homedir", home]
        command += ["--trust-model", "always", "--recipient-file", str(public), "--encrypt"]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.DEVNULL,
                env={"PATH": environ.get("PATH", "")},
            )
        except OSError:
            raise AirlockError(
                "gpg is not installed", fix="Install it, or use an age key"
            ) from None
        with process, contextlib.suppress(BrokenPipeError):
            if process.stdin is None:
                raise TypeError(process)
            for block in blocks:
                process.stdin.write(block)
            process.stdin.close()
        if process.returncode:
            raise AirlockError("gpg cannot encrypt to it", where="recipient", fix=_HINT)


def _manifest(line: bytes, path: Path) -> Manifest:
    try:
        return msgspec.json.decode(line, type=Manifest)
    except msgspec.MsgspecError:
        raise AirlockError("not a backup of Airlock's", where=str(path)) from None


def _drop_head(file: IO[bytes], size: int) -> None:
    """Remove the first `size` bytes of a file, in place."""
    at = 0
    while True:
        file.seek(at + size)
        block = file.read(_BLOCK)
        if not block:
            break
        file.seek(at)
        file.write(block)
        at += len(block)
    file.truncate(at)


def _chain(head: bytes, blocks: Generator[bytes]) -> Iterator[bytes]:
    yield head
    yield from blocks


class _Reader(io.RawIOBase):
    """A file that is read from blocks, as pyrage wants one."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._left = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self._left:
            self._left = next(self._blocks, b"")
        if size < 0:
            size = len(self._left)
        taken, self._left = self._left[:size], self._left[size:]
        return taken
