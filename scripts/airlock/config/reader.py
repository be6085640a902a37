"""Reading ``.github/airlock.yml``: text in, a checked `Config` or a one-line error out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from airlock.config import bounds
from airlock.config.locate import located
from airlock.config.model import DOCS, PATH, Config, decode
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from pathlib import Path


class _Loader(yaml.CSafeLoader):
    """PyYAML's own, with one kind of error for values that are none.

    A day that does not exist, a number with more digits than Python reads, or a tag that does not
    fit end there as whatever Python raised.
    """

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Return what `node` stands for."""
        try:
            return super().construct_object(node, deep=deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                problem=f"not a value of the kind {kind!r}", problem_mark=node.start_mark
            ) from None


def load(root: Path, path: str = PATH) -> Config:
    """Read and check the file at `path` below the checkout `root`.

    Raises:
        AirlockError: It is missing, unreadable or wrong.
    """
    try:
        text = (root / path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise AirlockError(
            "no such file",
            where=path,
            fix=f"Add it; three lines name a service, see {DOCS}/config.md",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise AirlockError(
            f"cannot be read ({type(error).__name__})", where=path, fix="Save it as UTF-8 text"
        ) from None
    return parse(text, path)


def parse(text: str, path: str = PATH) -> Config:
    """Return the configuration that `text` holds; an empty text is all defaults.

    Args:
        text: YAML.
        path: Name to use in errors.

    Raises:
        AirlockError: Not YAML, a key twice, an unknown key, or a value out of its bounds.
    """
    bounds.check(text, path)
    try:
        tree = yaml.compose(text, Loader=_Loader)
        _refuse_repeated_keys(tree, path)
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else path
        problem = getattr(error, "problem", None) or "not YAML"
        raise AirlockError(problem, where=where, fix="Correct the YAML there") from None
    try:
        return msgspec.convert(data if data is not None else {}, Config, dec_hook=decode)
    except msgspec.ValidationError as error:
        raise located(str(error), tree, path) from None


def _refuse_repeated_keys(node: yaml.Node | None, path: str) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise AirlockError(
                    "a list or mapping as a key", where=f"{path}:{line}", fix="Name it with text"
                )
            if key.value in seen:
                raise AirlockError(
                    f"key {key.value!r} stands here and in line {seen[key.value]}",
                    where=f"{path}:{line}",
                    fix="Remove one of them",
                )
            seen[key.value] = line
            _refuse_repeated_keys(value, path)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeated_keys(item, path)
