"""Which files a service is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from airlock.config import Build, Service
from airlock.config.globs import matches
from airlock.delivery.changes import footprint
from airlock.delivery.changes.footprint import Footprint

if TYPE_CHECKING:
    from collections.abc import Sequence

FILES = sorted(
    [
        *("Dockerfile", "common/auth.py", "common/tests/test_auth.py", "docs/a.md", "shop/main.py"),
        *("shop/Dockerfile", "shop/README.md", "shop/lib/price.py", "requirements.txt"),
    ]
)


def made(
    text: str = "",
    *,
    paths: Sequence[str] = (),
    shared: Sequence[str] = (),
    ignore: str = "",
    context: str = ".",
) -> Footprint:
    """Return the files of a service whose Dockerfile holds `text`; it names none if empty."""
    build = Build(repository="r.dev/p/i", context=context)
    service = Service(
        project="p",
        region="r",
        paths=tuple(paths),
        dockerfile="shop/Dockerfile" if text else None,
        build=build if text else None,
    )
    if not text:
        return Footprint(service, shared, None)
    ignored = footprint.places(service)[2][-1]
    dockerfile = footprint.read(service, f"FROM a\n{text}\n", ignored, ignore)
    return Footprint(service, shared, dockerfile)


def counted(found: Footprint) -> dict[str, str]:
    return {path: why for path in FILES if (why := found.why(path))}


def test_what_a_copy_excludes_does_not_count() -> None:
    found = made("COPY --exclude=lib --exclude=*.md . /x/", context="shop")
    assert set(counted(found)) == {"shop/Dockerfile", "shop/main.py"}
    warned = made("COPY --exclude=*.md . /x/", paths=["shop/lib/**"], context="shop")
    assert [files for _, files in warned.unnamed(FILES)] == [("shop/main.py",)]


def test_paths_alone() -> None:
    found = made(paths=["shop/**", "!**/*.md"], shared=["requirements.txt"])
    assert counted(found) == {
        "requirements.txt": "`shared-paths` has `requirements.txt`",
        "shop/Dockerfile": "`paths` has `shop/**`",
        "shop/lib/price.py": "`paths` has `shop/**`",
        "shop/main.py": "`paths` has `shop/**`",
    }
    assert set(counted(made(paths=["shop/"]))) == {path for path in FILES if path[:5] == "shop/"}


def test_what_the_dockerfile_takes_counts_though_no_path_names_it() -> None:
    found = made("COPY shop/main.py common /app/", paths=["shop/lib/**"])
    assert counted(found) == {
        "common/auth.py": "shop/Dockerfile:2 takes `common`",
        "common/tests/test_auth.py": "shop/Dockerfile:2 takes `common`",
        "shop/Dockerfile": "shop/Dockerfile is its Dockerfile",
        "shop/lib/price.py": "`paths` has `shop/lib/**`",
        "shop/main.py": "shop/Dockerfile:2 takes `shop/main.py`",
    }
    assert list(found.unnamed(FILES)) == [
        ("shop/Dockerfile:2 takes `shop/main.py`", ("shop/main.py",)),
        (
            "shop/Dockerfile:2 takes `common`",
            ("common/auth.py", "common/tests/test_auth.py"),
        ),
    ]


def test_files_that_no_build_sees_do_not_count() -> None:
    found = made("COPY . /app", ignore="**/*.md\n*/tests\nDockerfile\n")
    assert set(counted(found)) == set(FILES) - {
        *("docs/a.md", "shop/README.md", "common/tests/test_auth.py", "Dockerfile")
    }
    assert found.why(".dockerignore")
    assert list(found.unnamed(FILES)) == []


def test_a_context_of_its_own() -> None:
    found = made("COPY . /app", context="./shop/", ignore="README.md")
    assert set(counted(found)) == {"shop/Dockerfile", "shop/lib/price.py", "shop/main.py"}
    assert found.why("shop/.dockerignore")
    assert not found.why(".dockerignore")


def test_what_is_taken_out_does_not_count_whoever_names_it() -> None:
    found = made("COPY . /app", paths=["shop/**", "!docs/**"], shared=["common/**", "!**/*.txt"])
    assert set(counted(found)) == set(FILES) - {"docs/a.md", "requirements.txt"}
    assert [missing for _, missing in found.unnamed(FILES)] == [("Dockerfile",)]


def test_a_service_that_names_nothing_is_made_of_everything() -> None:
    assert set(counted(made())) == set(FILES)
    assert counted(made(shared=["common/**"]))["docs/a.md"].startswith("it names neither")


def test_a_submodule_counts_for_what_is_in_it() -> None:
    found = made("COPY vendor/lib/src /src", paths=["shop/**"])
    assert not found.why("vendor/lib")
    assert found.why("vendor/lib", submodule=True) == "it is a submodule"
    assert not found.why("vendor", submodule=False)
    assert not found.why("other", submodule=True)


def test_globs_that_match_no_file() -> None:
    assert made(paths=["shop/**", "shpo/**", "*.go", "!x"]).unmatched(FILES) == ("shpo/**", "*.go")


names = st.text("ab*?[].", min_size=1, max_size=4)
some_paths = st.lists(names, min_size=1, max_size=3).map("/".join)


@settings(max_examples=100, deadline=None)
@given(st.lists(some_paths, max_size=4), st.lists(some_paths, max_size=8))
def test_looking_by_beginnings_finds_what_looking_at_each_file_finds(
    globs: list[str], paths: list[str]
) -> None:
    files = sorted(set(paths))
    found = made(paths=[*globs, "a/**"])
    for path in files:
        assert bool(found.why(path)) == matches((*globs, "a/**"), path)
    unmatched = [glob for glob in (*globs, "a/**") if not any(matches((glob,), f) for f in files)]
    assert list(found.unmatched(files)) == unmatched
    dockerfile = made(f"COPY {' '.join(globs)} . /x", paths=["nothing"])
    missing = {path for _, each in dockerfile.unnamed(files) for path in each}
    assert missing == {path for path in files if dockerfile.why(path)}
