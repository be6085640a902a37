"""The table of rooms in docs/architecture.md, held against what the source imports."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from lint.tree import ROOT, parsed

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = ROOT / "scripts" / "airlock"
DOMAIN = ("leaks", "history", "delivery")
TOP = 4


@dataclass(frozen=True)
class Room:
    """A row of the table.

    Args:
        floor: Its floor.
        below: Floors it may import from.
        beside: Rooms of its own floor that it may import from.
        row: The names in its row, itself among them; they may import each other.
    """

    floor: int
    below: frozenset[int]
    beside: frozenset[str]
    row: frozenset[str]


def table(text: str) -> dict[str, Room]:
    """Read the rooms out of the page; a cell may name several."""
    rooms: dict[str, Room] = {}
    for floor, names, may in re.findall(
        r"^\| (\d) \| (.+?) \| .+? \| (.+?) \|$", text, re.MULTILINE
    ):
        row = frozenset(re.findall(r"`(\w+)(?:/|\.py)`", names))
        beside = frozenset(re.findall(r"`(\w+)`", may))
        rooms |= {room: Room(int(floor), allowed(may), beside, row) for room in row}
    return rooms


def allowed(cell: str) -> frozenset[int]:
    """Read what a room may import: `all`, `floor 0`, `0-2`, or nothing."""
    if cell.startswith("all"):
        return frozenset(range(TOP + 1))
    if found := re.search(r"(\d)(?:-(\d))?", cell):
        return frozenset(range(int(found[1]), int(found[2] or found[1]) + 1))
    return frozenset()


def imports(source: str) -> set[str]:
    """Return the rooms that a module's source imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("airlock.")}
    return found


def trespasses(room: str, source: str, rooms: dict[str, Room]) -> list[str]:
    """Return the rooms that a module of `room` imports and must not."""
    own = rooms[room]
    # The top floor's `all` names its neighbours, too; below it nobody goes sideways.
    open_to = own.below if own.floor == TOP else own.below - {own.floor}
    others = (imports(source) & set(rooms)) - own.row - own.beside
    return sorted(other for other in others if rooms[other].floor not in open_to)


ROOMS = table((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE)
SINGLE = sorted(PACKAGE / f"{room}.py" for room in ROOMS if (PACKAGE / f"{room}.py").exists())


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def label(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def test_every_room_is_in_the_table() -> None:
    assert {room_of(path) for path in (*MODULES, *SINGLE)} <= set(ROOMS)
    assert set(ROOMS) <= {path.name.removesuffix(".py") for path in PACKAGE.iterdir()}


def test_modules_stay_in_their_rooms() -> None:
    found = {
        label(path): trespasses(room_of(path), path.read_text(encoding="utf-8"), ROOMS)
        for path in (*MODULES, *SINGLE)
    }
    assert {path: rooms for path, rooms in found.items() if rooms} == {}


def test_imports_are_absolute() -> None:
    assert {
        label(path): node.lineno
        for path in (*MODULES, *SINGLE)
        for node in ast.walk(parsed(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    } == {}


@pytest.mark.parametrize(
    ("room", "source", "expected"),
    [
        ("leaks", "from airlock.delivery.judging.judge import judge", ["delivery"]),
        ("leaks", "import airlock.cli.console", ["cli"]),
        ("leaks", "from airlock import git", []),
        ("history", "from airlock.leaks import secret", []),
        ("leaks", "from airlock.history import model", ["history"]),
        ("delivery", "def f():\n    from airlock import leaks", ["leaks"]),
        ("sandbox", "from airlock.gcp import model", ["gcp"]),
        ("sandbox", "from airlock.clock import Clock", []),
        ("github", "from airlock.gcp import model", ["gcp"]),
        ("kit", "from airlock.errors import AirlockError", ["errors"]),
        ("cli", "from airlock.sandbox.stack import Stack", []),
    ],
)
def test_the_check_itself(room: str, source: str, expected: list[str]) -> None:
    assert trespasses(room, source, ROOMS) == expected


def prints(source: str) -> list[int]:
    """Return the lines that write to the process's streams."""
    tree = parsed(source)
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call | ast.Attribute))
    return [
        node.lineno
        for node in calls
        if (isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"print", "echo"})
        or (isinstance(node, ast.Attribute) and ast.unparse(node) in STREAMS)
    ]


STREAMS = {"sys.stdout", "sys.stderr", "click.echo", "click.secho"}


def test_domain_rooms_do_not_print() -> None:
    found = {
        label(path): prints(path.read_text(encoding="utf-8"))
        for path in MODULES
        if room_of(path) in DOMAIN
    }
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_the_print_check_itself() -> None:
    assert prints("print(1)\nimport sys\nsys.stdout.write('x')\n") == [1, 3]
