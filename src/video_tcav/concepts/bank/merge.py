"""Merge: the clips and decisions of another bank taken over, with the conflicts between two people's decisions."""

from collections.abc import Mapping
from dataclasses import dataclass

from video_tcav.concepts.bank import decisions
from video_tcav.concepts.bank.clips import all_rows, count_concepts, read_row
from video_tcav.concepts.bank.embeddings import read_embeddings, set_embeddings
from video_tcav.concepts.bank.files import copy_synced, staged
from video_tcav.concepts.bank.insertion import concept_id, store
from video_tcav.concepts.bank.records import BankClip
from video_tcav.core.errors import BankError
from video_tcav.core.sqlite import Database
from video_tcav.media import file_digest


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What a merge did.

    Attributes:
        added: clips that are new.
        decided: clips that were open or in no concept, and took verdict or concept of the other bank.
        conflicts: clips that two people decided differently, in words; the decision of this bank stands.
        broken: clips whose file in the other bank is missing or was changed, in words; they were not added.
    """

    added: int
    decided: int
    conflicts: tuple[str, ...]
    broken: tuple[str, ...]


def merge_databases(database: Database, source: Database) -> Merged:
    """Take over the clips and decisions of the source; see `merge_banks`."""
    if database.folder.resolve() == source.folder.resolve():
        raise BankError(f"`other` must be another bank. Got {source.folder} twice. Give the bank to take clips from.")
    counterparts, added, broken = list[tuple[int, BankClip]](), dict[int, int](), list[str]()
    for row in all_rows(source):
        # The source's key: one made anew would differ if somebody has moved the clip to another concept.
        clip, key = read_row(source.folder, row), str(row["key"])
        existing = _same(database, clip, key)
        if existing is not None:
            counterparts.append((existing, clip))
        elif (copy := _copy(database, clip, key)) is not None:
            added[clip.id] = copy.id
        else:
            broken.append(f"clip {clip.id}: {clip.path} is missing or was changed")
    decided, conflicts = _decide(database, source, counterparts)
    _copy_embeddings(database, source, added)
    return Merged(added=len(added), decided=decided, conflicts=tuple(conflicts), broken=tuple(broken))


def _same(database: Database, clip: BankClip, key: str) -> int | None:
    """The clip of this bank that is the source's clip: the same file, kind and concept, or the same proposal."""
    query = """
        SELECT clips.id FROM clips LEFT JOIN concepts ON concepts.id = concept_id
        WHERE (digest = ? AND kind = ? AND coalesce(concepts.name, '') = ?) OR key = ?
        ORDER BY key = ? DESC, clips.id LIMIT 1
    """
    rows = database.read(query, [clip.digest, clip.kind, clip.concept, key, key])
    return int(rows[0]["id"]) if rows else None


def _copy(database: Database, clip: BankClip, key: str) -> BankClip | None:
    """The clip in this bank; `None` if its file is missing or was changed."""
    if not clip.path.is_file():
        return None
    with staged(database.folder, clip.path.suffix) as copy:
        copy_synced(clip.path, copy)
        return store(database, copy, clip, key) if file_digest(copy) == clip.digest else None


def _decide(database: Database, source: Database, counterparts: list[tuple[int, BankClip]]) -> tuple[int, list[str]]:
    """Settle the clips that both banks have, in one change: how many took a decision over, and the conflicts."""
    conflicts: list[str] = []
    before: dict[int, tuple[str, str]] = {}
    with database.transaction() as change:
        current = {
            clip: (concept, verdict)
            for clip, concept, verdict in decisions.states(change, [id for id, _ in counterparts])
        }
        for id, clip in counterparts:
            settled, words = _settle(current[id], clip)
            conflicts += [f"clip {id}: {text}" for text in words]
            if settled != current[id]:
                before.setdefault(id, current[id])  # several clips of the source may be this one
                current[id] = settled
        new = sorted(count.name for count in count_concepts(source) if not decisions.has_concept(change, count.name))
        for name in new:
            concept_id(change, name)
        decisions.update(change, [(id, *current[id]) for id in before])
        if before or new:
            states = [(id, *state) for id, state in before.items()]
            decisions.remember(change, f"{decisions.clips_in_words(states)} decided by a merge", states, added=new)
    return len(before), conflicts


def _settle(current: tuple[str, str], clip: BankClip) -> tuple[tuple[str, str], list[str]]:
    """Concept and verdict that stand, and what two people decided differently."""
    concept = current[0] or clip.concept
    verdict = clip.verdict if current[1] == "open" else current[1]
    conflicts = []
    if clip.concept and concept != clip.concept:
        conflicts.append(f"in {concept} here, in {clip.concept} there")
    if clip.verdict not in ("open", verdict):
        conflicts.append(f"{verdict} here, {clip.verdict} there")
    return (concept, verdict), conflicts


def _copy_embeddings(database: Database, source: Database, added: Mapping[int, int]) -> None:
    """Take the vectors of new clips over, in spaces of the same number of dimensions."""
    for row in source.read("SELECT DISTINCT space FROM embeddings"):
        space = str(row["space"])
        ids, vectors = read_embeddings(source, space)
        width = read_embeddings(database, space)[1].shape[1]
        new = {added[clip]: vector for clip, vector in zip(ids, vectors, strict=True) if clip in added}
        if new and width in (0, vectors.shape[1]):  # 0: no vector yet
            set_embeddings(database, space, new)
