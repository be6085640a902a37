"""What a run would do, from what is dirty: exact, and the same every time."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from airlock.history import entries, finish
from airlock.history.model import Found, Left, Plan, RefPlan
from airlock.history.survey import HIDDEN_REFS, count_signed, held
from airlock.history.walk import bits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.git import Git
    from airlock.history.model import Fate, Order
    from airlock.history.survey import Ref, Survey

FILES = "files"
"""Label of what was asked for by id or path."""

_STASH = b"refs/stash"


def plan(git: Git, survey: Survey, *, repository: str = "", salt: str = "airlock") -> Plan:
    """Return what a run does.

    Args:
        git: The repository that was surveyed.
        survey: Of it.
        repository: Its label.
        salt: For fingerprints, as in the configuration.
    """
    order, visible = survey.order, survey.visible
    prints = [needle.secret.fingerprint(salt) for needle in order.needles]
    notes = dict(_notes(git, survey))
    refs = tuple(_ref(survey, ref, notes, signed=lost) for ref, lost in _losing(git, survey))
    changed = sorted(visible.changed)
    return Plan(
        repository=repository,
        binary=order.binary,
        example=order.example,
        replacements=_replacements(order, prints),
        remove_blobs=order.blobs,
        remove_paths=tuple(survey.replacer.shown(_raw(path)) for path in order.paths),
        found=tuple(_found(survey, prints)),
        commits=visible.commits,
        changed=len(changed),
        changed_digest=hashlib.sha256(b"".join(name + b"\n" for name in changed)).hexdigest(),
        first=tuple(name.decode() for name in visible.first),
        signed_commits=count_signed(git, visible.changed),
        refs=refs,
        notes={survey.replacer.shown(name): count for name, count in notes.items()},
        lfs=len({blob for blob, _, _ in visible.seen if _is_lfs(survey, blob)}),
        submodules=any(path.endswith(b".gitmodules") for _, path, _ in visible.seen),
        left=tuple(_left(survey)),
        remarks=tuple(_remarks(survey)),
    )


def _found(survey: Survey, prints: list[str]) -> Iterator[Found]:
    visible, needles = survey.visible, survey.order.needles
    blobs: dict[int, set[str]] = {}
    paths: dict[int, set[bytes]] = {}
    for blob, path, mask in visible.seen:
        for bit in bits(mask):
            paths.setdefault(bit, set()).add(path)
            dirt = survey.dirt.get(blob.decode())
            if dirt and dirt.bits >> bit & 1:
                blobs.setdefault(bit, set()).add(blob.decode())
    for ref in survey.refs:
        if ref.type == "blob" and ref.pushed and ref.id in survey.dirt:
            for bit in bits(survey.dirt[ref.id].bits):
                blobs.setdefault(bit, set()).add(ref.id)
    here = {name for group in blobs.values() for name in group} | set(survey.tags)
    here |= {name for name in survey.dirt if name.encode() in visible.trees}
    names = {name for group in paths.values() for name in group}
    for bit in range(len(needles) + bool(survey.order.blobs or survey.order.paths)):
        forms: Counter[str] = Counter()
        kinds: Counter[str] = Counter()
        for name in here & set(survey.dirt):
            parts = [(f, k) for needle, f, k in survey.dirt[name].places if needle == bit]
            forms.update({form for form, _ in parts})
            kinds.update({kind for _, kind in parts})
        files = bit == len(needles)
        if files:
            forms["name"] += len(paths.get(bit, ()))
        else:
            kinds["path"] += sum(_names(survey, name, bit) for name in names)
            kinds["ref"] += sum(_names(survey, ref.name, bit) for ref in survey.refs)
        yield Found(
            label=FILES if files else needles[bit].label,
            fingerprint="" if files else prints[bit],
            forms={name: count for name, count in sorted(forms.items()) if count},  # type: ignore[misc]
            kinds={name: count for name, count in sorted(kinds.items()) if count},  # type: ignore[misc]
            blobs=tuple(sorted(blobs.get(bit, ()))),
            paths=tuple(sorted(survey.replacer.shown(path) for path in paths.get(bit, ()))),
            first=tuple(name.decode() for name in visible.brought.get(bit, ())),
        )


def _names(survey: Survey, name: bytes, needle: int) -> bool:
    return any(span.needle == needle for span in survey.replacer.searcher.spans(name))


def _ref(survey: Survey, ref: Ref, notes: dict[bytes, int], *, signed: bool) -> RefPlan:
    name = survey.edits.name(ref.name)
    renamed, changed = name != ref.name, survey.changes(ref.id, ref.type)
    fate: Fate = "unchanged"
    why = ""
    if ref.pushed and ref.type == "blob" and ref.id in survey.order.blobs:
        fate, why = "refused", "it names the file itself; delete the ref"
    elif ref.pushed:
        fate = "renamed" if renamed else "rewritten" if changed or ref.name in notes else fate
    elif (renamed or changed) and ref.name.startswith(HIDDEN_REFS):
        fate, why = "hidden", "only the server's owner can change it"
    elif renamed or changed:
        fate, why = "refused", "it is not pushed; delete it in the clone that has it"
    return RefPlan(
        name=survey.replacer.shown(ref.name),
        old=ref.id,
        type=ref.type,
        fate=fate,
        signed=signed and fate in {"rewritten", "renamed"},
        to=name.decode("utf-8", "replace") if fate == "renamed" else "",
        why=why,
    )


def _losing(git: Git, survey: Survey) -> Iterator[tuple[Ref, bool]]:
    """Yield every ref, and whether it names a tag that would lose a signature."""
    tags = {ref.id for ref in survey.refs if ref.type == "tag" and survey.changes(ref.id, "tag")}
    lost = {name for name, _, data in held(git, iter(sorted(tags))) if entries.is_signed(data)}
    yield from ((ref, ref.id in lost) for ref in survey.refs)


def _notes(git: Git, survey: Survey) -> Iterator[tuple[bytes, int]]:
    for ref in survey.refs:
        if not ref.name.startswith(finish.NOTES) or ref.type != "commit":
            continue
        moved = sum(_moves(survey, name) for name, _, _ in finish.annotated(git, ref.id))
        if moved:
            yield ref.name, moved


def _moves(survey: Survey, name: str) -> bool:
    if name in survey.tags:
        return survey.changes(name, "tag")
    if name.encode() in survey.visible.trees or name in survey.trees:
        return True
    # Not a commit that only hidden refs reach: it has a needle, and stays.
    return name in survey.dirt and survey.dirt[name].kind == "blob"


def _left(survey: Survey) -> Iterator[Left]:
    yield from survey.left
    labels = [needle.label for needle in survey.order.needles]
    for ref in survey.refs:
        if ref.type == "blob" and ref.id in survey.order.blobs:
            shown = survey.replacer.shown(ref.name)
            yield Left(label=FILES, kind="ref", where=shown, why="it names the file itself")
    for name, dirt in sorted(survey.dirt.items()):
        if name.encode() in survey.hidden.trees and name.encode() not in survey.visible.trees:
            for bit in bits(dirt.bits):
                why = "only refs that are not pushed reach it"
                yield Left(label=labels[bit], kind="message", where=name, why=why)


def _remarks(survey: Survey) -> Iterator[str]:
    if any(ref.name == _STASH for ref in survey.refs):
        yield "Only the newest stash is a ref; older ones are in the reflog of some clone"


def _replacements(order: Order, prints: list[str]) -> str:
    digest = hashlib.sha256()
    for needle, fingerprint in zip(order.needles, prints, strict=True):
        for part in (needle.label, fingerprint, needle.replacement):
            digest.update(len(part).to_bytes(4, "big") + part.encode())
    return digest.hexdigest()


def _is_lfs(survey: Survey, blob: bytes) -> bool:
    dirt = survey.dirt.get(blob.decode())
    return bool(dirt and dirt.lfs)


def _raw(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
