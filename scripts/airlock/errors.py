"""The one error that users are meant to read."""

from __future__ import annotations


class AirlockError(Exception):
    """Bad input or a world that does not answer: exit code 2.

    Nothing was changed, unless a subclass says so.

    Args:
        what: What is wrong, as a sentence (its full stop may be left out).
        where: The file, line, key, URL or service it is about; empty if `what` says it.
        fix: What the reader does next, as a sentence (its full stop may be left out).

    None of the three may hold a secret or text that was not checked: the message goes to public
    logs.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what = what
        self.where = where
        self.fix = fix
        super().__init__(what, where, fix)

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        sentences = (_sentence(part) for part in (head, self.fix) if part)
        return " ".join(" ".join(sentences).split())


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."
