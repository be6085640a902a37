"""Places in git itself where a secret can hide, beyond the 37 of `hiding`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contract import hiding
from contract.hiding import Place, assignment

if TYPE_CHECKING:
    from collections.abc import Callable

    from contract.hiding import Repo

FURTHER: list[Place] = []


def place(name: str) -> Callable[[Callable[[Repo, str], None]], None]:
    """Register a function that puts a token somewhere."""

    def register(make: Callable[[Repo, str], None]) -> None:
        FURTHER.append(Place(name, make))

    return register


def plain(name: str, path: str, layout: Callable[[str], bytes] = assignment) -> None:
    """Register a place that is one committed file."""
    FURTHER.append(hiding.one_file(name, path, layout))


def raw_commit(repo: Repo, *headers: str, message: str = "Raw", ref: str = "") -> str:
    """Write a commit object with headers of any kind, keep it by a ref, and return its id."""
    tree, parent = repo.git("rev-parse", "HEAD^{tree}"), repo.git("rev-parse", "HEAD")
    person = "Ada <ada@example.com> 1700000000 +0000"
    lines = (f"tree {tree}", f"parent {parent}", f"author {person}", f"committer {person}")
    data = "\n".join((*lines, *headers, "", message, "")).encode("utf-8", "surrogateescape")
    found = repo.blob(data, "commit")
    repo.git("update-ref", ref or f"refs/heads/raw-{found[:9]}", found)
    return found


# What git keeps beside files.


@place("committer's name")
def _committer(repo: Repo, token: str) -> None:
    arguments = ("commit", "--quiet", "--allow-empty", "--message", "Work")
    repo.git(*arguments, GIT_COMMITTER_NAME=f"bot {token}")


@place("committer's address")
def _committer_address(repo: Repo, token: str) -> None:
    arguments = ("commit", "--quiet", "--allow-empty", "--message", "Work")
    repo.git(*arguments, GIT_COMMITTER_EMAIL=f"{token}@example.com")


@place("author's address")
def _author_address(repo: Repo, token: str) -> None:
    arguments = ("commit", "--quiet", "--allow-empty", "--message", "Work")
    repo.git(*arguments, GIT_AUTHOR_EMAIL=f"{token}@example.com")


@place("tagger's name")
def _tagger(repo: Repo, token: str) -> None:
    repo.git("tag", "--annotate", "v1.1", "--message", "Release", GIT_COMMITTER_NAME=token)


@place("signature header")
def _signature(repo: Repo, token: str) -> None:
    begin, end = ("-----" + edge + " PGP SIGNATURE-----" for edge in ("BEGIN", "END"))
    raw_commit(repo, f"gpgsig {begin}", f" Comment: {token}", " ", " iQEzBAABCAAd", f" {end}")


@place("unknown header")
def _header(repo: Repo, token: str) -> None:
    raw_commit(repo, f"deploy-token {token}")


@place("encoding header")
def _encoding(repo: Repo, token: str) -> None:
    raw_commit(repo, f"encoding {token}")


@place("tag that was merged and deleted (mergetag)")
def _mergetag(repo: Repo, token: str) -> None:
    tagged = repo.aside({"merged_tag.txt": b"work\n"})
    repo.git("tag", "--annotate", "topic", "--message", f"github_token = {token}", tagged)
    repo.git("merge", "--quiet", "--no-ff", "--message", "Merge topic", "topic")
    repo.git("tag", "--delete", "topic")


@place("message in Latin-1")
def _latin_message(repo: Repo, token: str) -> None:
    raw_commit(repo, "encoding ISO-8859-1", message=f"caf\udce9 github_token = {token}")


@place("message that imitates a patch")
def _imitation(repo: Repo, token: str) -> None:
    head = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +0,0 @@\n"
    repo.commit(message=f"Apply\n\n{head}-github_token = {token}")


@place("message behind a NUL")
def _nul_message(repo: Repo, token: str) -> None:
    raw_commit(repo, message=f"Fix\0github_token = {token}")


@place("name of a branch")
def _branch_name(repo: Repo, token: str) -> None:
    repo.git("branch", f"fix/{token}")


@place("name of a tag")
def _tag_name(repo: Repo, token: str) -> None:
    repo.git("tag", f"release-{token}")


@place("replace ref")
def _replaced(repo: Repo, token: str) -> None:
    shown = repo.commit({"replaced.txt": b"work\n"})
    other = repo.aside({"replacement.txt": assignment(token)})
    repo.git("replace", shown, other)


@place("older stash")
def _older_stash(repo: Repo, token: str) -> None:
    for data in (assignment(token), b"later\n"):
        repo.write("stash_list.py", data)
        repo.git("add", "stash_list.py")
        repo.git("stash", "--quiet")


@place("untracked file of a stash")
def _untracked(repo: Repo, token: str) -> None:
    repo.write("untracked.py", assignment(token))
    repo.git("stash", "--quiet", "--include-untracked")


@place("tag on a blob")
def _blob_tag(repo: Repo, token: str) -> None:
    repo.git("tag", "key", repo.blob(assignment(token)))


@place("annotated tag on a tree")
def _tree_tag(repo: Repo, token: str) -> None:
    entry = f"100644 blob {repo.blob(assignment(token))}\tconf.py\n".encode()
    tree = repo.git("mktree", stdin=entry)
    repo.git("tag", "--annotate", "tree", "--message", "A tree", tree)


@place("tag on a tag")
def _tag_on_tag(repo: Repo, token: str) -> None:
    repo.git("tag", "--annotate", "inner", "--message", f"github_token = {token}")
    repo.git("tag", "--annotate", "outer", "--message", "Outer", "inner")
    repo.git("tag", "--delete", "inner")


@place("note on a blob")
def _blob_note(repo: Repo, token: str) -> None:
    blob = repo.git("rev-parse", "HEAD:README.md")
    repo.git("notes", "--ref", "review", "add", "--message", f"github_token = {token}", blob)


@place("deleted branch")
def _deleted_branch(repo: Repo, token: str) -> None:
    repo.git("branch", "short-lived", repo.aside({"short.py": assignment(token)}))
    repo.git("branch", "--quiet", "--delete", "--force", "short-lived")


@place("staged, never committed")
def _staged(repo: Repo, token: str) -> None:
    repo.write("almost.py", assignment(token))
    repo.git("add", "almost.py")
    repo.git("rm", "--quiet", "--force", "almost.py")


@place("branch without common history")
def _orphan(repo: Repo, token: str) -> None:
    entry = f"100644 blob {repo.blob(assignment(token))}\tpages.py\n".encode()
    commit = repo.git("commit-tree", "-m", "Pages", repo.git("mktree", stdin=entry))
    repo.git("update-ref", "refs/heads/pages", commit)


# What is in no clone.


@place("title of the pull request")
def _title(repo: Repo, token: str) -> None:
    repo.request["title"] = f"Use {token} for now"


@place("description of the pull request")
def _description(repo: Repo, token: str) -> None:
    repo.request["body"] = f"To try it:\r\n\r\n```\r\ngithub_token = {token}\r\n```\r\n"


@place("branch of the pull request")
def _request_branch(repo: Repo, token: str) -> None:
    repo.request["ref"] = f"patch/{token}"


# How a patch can mislead.


@place("symlink that becomes a file")
def _type_change(repo: Repo, token: str) -> None:
    (repo.root / "linked.py").symlink_to("README.md")
    repo.commit()
    (repo.root / "linked.py").unlink()
    repo.commit({"linked.py": assignment(token)})


@place("octopus merge's own content")
def _octopus(repo: Repo, token: str) -> None:
    sides = [repo.aside({f"arm{number}.txt": b"work\n"}) for number in range(3)]
    repo.write("octopus.py", assignment(token))
    repo.git("add", "octopus.py")
    tree = repo.git("write-tree")
    parents = [word for side in ("HEAD", *sides) for word in ("-p", side)]
    repo.git("reset", "--quiet", "--hard", repo.git("commit-tree", "-m", "All", *parents, tree))
    repo.git("rm", "--quiet", "octopus.py")
    repo.commit()


@place("merge that adds a file of its own")
def _evil_merge(repo: Repo, token: str) -> None:
    side = repo.aside({"side.txt": b"work\n"})
    repo.git("merge", "--quiet", "--no-ff", "--no-commit", side)
    repo.commit({"evil.py": assignment(token)}, "Merge side")
    repo.git("rm", "--quiet", "evil.py")
    repo.commit()


@place("secret behind a rename in a merge")
def _merged_rename(repo: Repo, token: str) -> None:
    lines = b"".join(b"step_%d()\n" % number for number in range(60))
    repo.commit({"before.py": lines})
    repo.git("checkout", "--quiet", "--detach")
    repo.git("mv", "before.py", "after.py")
    side = repo.commit()
    repo.git("checkout", "--quiet", "main")
    repo.commit({"before.py": lines + b"last()\n"})
    repo.git("merge", "--quiet", "--no-ff", "--no-commit", side)
    repo.commit({"after.py": lines + assignment(token) + b"last()\n"}, "Merge")
    repo.commit({"after.py": lines + b"last()\n"})


@place("diff and filter drivers in .gitattributes")
def _drivers(repo: Repo, token: str) -> None:
    attributes = b"*.cfg diff=none filter=none -text -merge linguist-generated\n"
    repo.commit({"drivers/.gitattributes": attributes, "drivers/app.cfg": assignment(token)})


plain("line that looks like a file's header", "header.txt", lambda t: b"++ b/" + assignment(t))
plain("line that looks like a removed one", "removed.txt", lambda t: b"-- a/" + assignment(t))
plain(
    "lines that look like a hunk",
    "hunk.txt",
    lambda t: b"diff --git a/x b/x\n@@ -1 +0,0 @@\n- " + assignment(t),
)
plain("no line end at the end", "unended.py", lambda t: b"a = 1\n" + assignment(t).strip())


@place("submodule's path")
def _submodule_path(repo: Repo, token: str) -> None:
    commit = repo.git("rev-parse", "HEAD")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{commit},lib/{token}")
    repo.git("commit", "--quiet", "--message", "Add a submodule")
    repo.git("rm", "--quiet", "--cached", f"lib/{token}")
    repo.commit()


@place("folder's name")
def _folder(repo: Repo, token: str) -> None:
    repo.commit({f"tenants/{token}/readme.txt": b"hello\n"})


@place("file's name with line ends and quotes")
def _odd_name(repo: Repo, token: str) -> None:
    repo.commit({f'odd\n"{token}"\t.txt': b"hello\n"})


@place("file whose name is not UTF-8")
def _latin_name(repo: Repo, token: str) -> None:
    repo.write(b"caf\xe9 \xff.py", assignment(token))
    repo.commit()


@place("renamed to a secret")
def _renamed_to(repo: Repo, token: str) -> None:
    repo.commit({"harmless.txt": b"the same\n" * 20})
    repo.git("mv", "harmless.txt", f"harmless-{token}.txt")
    repo.commit()


def _submodule(token: str) -> bytes:
    url = f"https://bot:{token}@github.com/example/lib.git"
    return f'[submodule "lib"]\n\tpath = lib\n\turl = {url}\n'.encode()


def _lfs(token: str) -> bytes:
    return f"[lfs]\n\turl = https://bot:{token}@lfs.example.com/shop\n".encode()


def _pointer(token: str) -> bytes:
    head = f"version https://git-lfs.github.com/spec/v1\next-0-{token} sha256:"
    return f"{head}{'0' * 64}\noid sha256:{'1' * 64}\nsize 12\n".encode()


plain("submodule's address", ".gitmodules", _submodule)
plain("LFS's own configuration", ".lfsconfig", _lfs)
plain("extension of an LFS pointer", "model.weights", _pointer)
plain("list of commits to ignore", ".git-blame-ignore-revs", lambda t: b"# " + assignment(t))
