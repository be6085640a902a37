"""Objects by question and answer, in one process of git."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Self

from airlock.errors import AirlockError

if TYPE_CHECKING:
    from types import TracebackType

    from airlock.git import Git


class Batch:
    """Reads one object after the other; each question may depend on the answer before it.

    Args:
        git: The repository.
    """

    def __init__(self, git: Git) -> None:
        self._process = git.converse("cat-file", "--batch")

    def read(self, name: str) -> tuple[str, bytes]:
        """Return kind and content of the object that `name` is the id of.

        Raises:
            AirlockError: It is not here.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise AirlockError("git cat-file has no pipes")
        stdin.write(f"{name}\n".encode())
        stdin.flush()
        header = stdout.readline().split()
        if len(header) != 3:  # noqa: PLR2004 - id, kind and size; else "ID missing", or nothing
            raise AirlockError("an object is missing", where=name, fix="Clone the repository anew")
        size = int(header[2])
        data = stdout.read(size + 1)
        if len(data) != size + 1:
            raise AirlockError("git cat-file ended early", where=name)
        return header[1].decode(), data[:-1]

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
