"""The surgical engine: only objects that change are read and written.

Trees are rewritten along dirty paths, each once; commits keep every byte that does not name another
object or hold a needle. Refs move last, in one transaction.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from airlock.git.batch import Batch
from airlock.history import entries, finish, stage
from airlock.history.packfile import PackWriter
from airlock.history.survey import held
from airlock.history.trees import Trees

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airlock.git import Git
    from airlock.history.model import Rewrite
    from airlock.history.survey import Survey


def rewrite(git: Git, survey: Survey) -> Rewrite:
    """Rewrite a history.

    Args:
        git: A disposable bare clone; nothing in it changes before everything is written.
        survey: Of it.

    Raises:
        AirlockError: A name that is cleaned would collide with another; nothing has changed.
    """
    made = finish.Made("surgical")
    with writing(git, survey, made) as writer:
        writer.contents()
        writer.commits(name.decode() for name in survey.visible.changed)
        writer.trees()
        writer.tags()
        made.written = len(writer.pack)
    return finish.finish(git, survey, made)


@contextlib.contextmanager
def writing(git: Git, survey: Survey, made: finish.Made) -> Iterator[Writer]:
    """Lend a writer; what it wrote is in the repository at the end, or none of it after an error.

    Args:
        git: The repository.
        survey: Of it.
        made: Told what was written.
    """
    lean = stage.frugal(git)
    pack = PackWriter(lean)
    try:
        with Batch(lean) as batch:
            yield Writer(lean, survey, made, pack, batch)
        pack.finish()
    except BaseException:
        pack.abandon()
        raise


class Writer:
    """Writes clean copies of what is dirty, each kind after those that it names.

    Args:
        git: The repository.
        survey: Of it.
        made: Told what was written.
        pack: Where to.
        batch: Reads trees.
    """

    def __init__(
        self, git: Git, survey: Survey, made: finish.Made, pack: PackWriter, batch: Batch
    ) -> None:
        self.pack = pack
        self._git, self._survey, self._made = git, survey, made
        # Only notes may need to know; for nothing else is a map of all trees worth its memory.
        notes = any(ref.name.startswith(finish.NOTES) for ref in survey.refs)
        self._trees = Trees(
            survey.edits,
            read=lambda name: batch.read(name)[1],
            write=lambda data: pack.add("tree", data),
            renamed=made.objects if notes else None,
        )

    def contents(self) -> None:
        """Write all dirty contents that something to be pushed has."""
        survey = self._survey
        wanted = {blob.decode() for blob, _, _ in survey.visible.seen}
        wanted |= {ref.id for ref in survey.refs if ref.type == "blob"}
        wanted |= {name for name, kind in survey.tags.values() if kind == "blob"}
        for tree in survey.trees:
            lines = self._git.run("ls-tree", "-r", "-z", tree).split(b"\0")[:-1]
            wanted |= {line.partition(b"\t")[0][-40:].decode() for line in lines}
        dirty = (name for name in sorted(wanted) if name in survey.dirt and survey.dirt[name].new)
        for name, _, data in held(self._git, dirty):
            self._made.objects[name] = self.pack.add("blob", survey.replacer.content(data))

    def commits(self, names: Iterable[str]) -> None:
        """Write commits and their trees, parents first."""
        paths, made = self._survey.visible.paths, self._made
        for name, _, data in held(self._git, iter(names)):
            tree = data[5:45].decode()
            if dirty := paths.get(name.encode()):
                tree = self._trees.root(tree, dirty)
            written = entries.commit(data, self._survey.replacer, tree, made.objects)
            made.objects[name] = self.pack.add("commit", written.data)
            made.commits.add(name)
            made.signed_commits += written.signed

    def trees(self) -> None:
        """Write trees that a ref or tag names."""
        for name, paths in self._survey.trees.items():
            self._made.objects[name] = self._trees.root(name, paths)

    def tags(self) -> None:
        """Write tag objects that hold a needle or name something that changes, inner ones first.

        The others are left alone, with their signatures.
        """
        survey, made = self._survey, self._made
        names = [name for name in survey.tags if survey.changes(name, "tag")]
        data = {name: content for name, _, content in held(self._git, iter(names))}

        def resolve(name: str) -> str:
            if name in data and name not in made.objects:
                target, kind = survey.tags[name]
                new = resolve(target) if kind == "tag" else made.objects.get(target, target)
                written = entries.tag(data[name], survey.replacer, new)
                made.objects[name] = self.pack.add("tag", written.data)
                if written.signed:
                    made.signed_tags.add(name)
            return made.objects.get(name, name)

        for name in names:
            resolve(name)
