"""What Python source imports, read without running it, and which of that is missing."""

from __future__ import annotations

import ast
import importlib
from importlib.util import resolve_name
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from os import PathLike

_OPTIONAL = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


def imported_by(*sources: str | PathLike[str]) -> tuple[str, ...]:
    """Return the absolute names of all modules that the files import, at any depth of the code.

    Left out is what may be absent at run time: imports under ``if TYPE_CHECKING`` and those in a
    ``try`` that handles their failure. ``from a import b`` gives ``a:b``, because only an import
    can tell whether ``b`` is a module or a name.

    Args:
        sources: Python files, or folders that are searched for them.

    Raises:
        OSError: A source cannot be read.
        SyntaxError: A source is not Python.
    """
    found: set[str] = set()
    for source in map(Path, sources):
        for file in sorted(source.rglob("*.py")) if source.is_dir() else [source]:
            visitor = _Imports(_package_of(file))
            visitor.visit(ast.parse(file.read_bytes(), str(file)))
            found |= visitor.found
    return tuple(sorted(found))


def missing(modules: Iterable[str]) -> tuple[str, ...]:
    """Import each module and return the names of those that fail to import.

    Args:
        modules: Names as `imported_by` gives them.
    """
    return tuple(name.replace(":", ".") for name in modules if not _imports(name))


def _imports(name: str) -> bool:
    module, _, attribute = name.partition(":")
    try:
        loaded = importlib.import_module(module)
        if attribute and not hasattr(loaded, attribute):
            importlib.import_module(f"{module}.{attribute}")
    except BaseException:  # noqa: BLE001 - a module's code may raise anything, SystemExit too
        return False
    return True


class _Imports(ast.NodeVisitor):
    def __init__(self, package: str) -> None:
        self.found: set[str] = set()
        self._package = package

    def visit_Import(self, node: ast.Import) -> None:
        self.found |= {alias.name for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level:
            module = resolve_name("." * node.level + module, self._package)
        names = (alias.name for alias in node.names)
        self.found |= {module if name == "*" else f"{module}:{name}" for name in names}

    def visit_If(self, node: ast.If) -> None:
        branch = node.orelse if "TYPE_CHECKING" in _names(node.test) else [*node.body, *node.orelse]
        for child in branch:
            self.visit(child)

    def visit_Try(self, node: ast.Try) -> None:
        handled = {name for handler in node.handlers for name in _handled(handler)}
        guarded = bool(handled & _OPTIONAL)
        rest = [*node.handlers, *node.orelse, *node.finalbody]
        for child in rest if guarded else [*node.body, *rest]:
            self.visit(child)


def _handled(handler: ast.ExceptHandler) -> Iterator[str]:
    return _names(handler.type) if handler.type else iter(["BaseException"])


def _names(node: ast.expr) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr


def _package_of(file: Path) -> str:
    """Return the package that relative imports of `file` start from; empty outside of one."""
    folder, names = file.resolve().parent, []
    while (folder / "__init__.py").exists():
        names.append(folder.name)
        folder = folder.parent
    return ".".join(reversed(names))
