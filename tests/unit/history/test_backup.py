"""A backup opens for its recipient, and for nobody else."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pyrage
import pytest

from airlock.errors import AirlockError
from airlock.git import Git
from airlock.history import backup

if TYPE_CHECKING:
    from pathlib import Path

SAID = backup.Manifest(repository="o/r", made=1.0, head="main", refs={"refs/heads/main": "1" * 40})


@pytest.fixture
def git(tmp_path: Path) -> Git:
    folder = tmp_path / "repo"
    folder.mkdir()
    made = Git.new(folder / "bare", os.environ)
    blob = made.run("hash-object", "-w", "--stdin", stdin=os.urandom(3_000_000)).decode().strip()
    made.run("update-ref", "refs/tags/blob", blob)
    return made


def keys(folder: Path) -> tuple[str, Path]:
    identity = pyrage.x25519.Identity.generate()
    path = folder / "key.txt"
    path.write_text(f"# created: today\n{identity}\n")
    return f"# mine\n{identity.to_public()}\n", path


def test_it_opens_with_the_key_and_without_us(git: Git, tmp_path: Path) -> None:
    public, key = keys(tmp_path)
    target = tmp_path / "backup.age"
    assert backup.save(git, SAID, public, target, os.environ) == target.stat().st_size
    assert target.stat().st_mode & 0o077 == 0
    with backup.opened(target, key, tmp_path) as (said, bundle):
        assert said == SAID
        listed = git.lines("bundle", "list-heads", str(bundle))
        bundle_bytes = bundle.read_bytes()
    assert [line.split(" ")[1] for line in listed] == ["refs/tags/blob"]
    assert not (tmp_path / "backup.bundle").exists()
    # What `age -d | tail -n +2` does.
    identity = pyrage.x25519.Identity.from_str(key.read_text().splitlines()[1])
    plain = pyrage.decrypt(target.read_bytes(), [identity])
    assert plain.partition(b"\n")[2] == bundle_bytes


def test_it_opens_for_nobody_else(git: Git, tmp_path: Path) -> None:
    target = tmp_path / "backup.age"
    backup.save(git, SAID, keys(tmp_path)[0], target, os.environ)
    _, other = keys(tmp_path)
    for key, line in ((other, "not for this key, or damaged"), (None, "no key to open it")):
        with (
            pytest.raises(AirlockError, match=line),
            backup.opened(target, key, tmp_path),
        ):
            pass
    assert not (tmp_path / "backup.bundle").exists()


@pytest.mark.parametrize(
    ("recipient", "line"),
    [
        ("", "recipient: nobody to encrypt the backup to. Give an age recipient"),
        ("age1nonsense", "recipient: not a public key."),
        ("AGE-SECRET-KEY-1", "recipient: not a public key."),
        ("ssh-ed25519 AAAA", "recipient: not a public key."),
    ],
)
def test_without_a_recipient_there_is_no_backup(
    git: Git, tmp_path: Path, recipient: str, line: str
) -> None:
    with pytest.raises(AirlockError) as caught:
        backup.save(git, SAID, recipient, tmp_path / "out" / "b.age", os.environ)
    assert str(caught.value).startswith(line)
    assert not list((tmp_path).glob("out/*"))


def test_pgp_keys_do_as_well(git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    make = ["--passphrase", "", "--quick-gen-key", "dev@example.com", "future-default", "default"]
    subprocess.run(["gpg", "--batch", "--quiet", *make], check=True, capture_output=True)
    public = subprocess.check_output(["gpg", "--armor", "--export"], text=True)
    target = tmp_path / "backup.gpg"
    backup.save(git, SAID, public, target, os.environ)
    with backup.opened(target, None, tmp_path) as (said, bundle):
        assert said == SAID
        assert bundle.stat().st_size > 3_000_000
    subprocess.run(["gpgconf", "--kill", "all"], check=False, capture_output=True)
