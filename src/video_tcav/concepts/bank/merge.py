"""Merge: the clips and decisions of another bank taken over, with the conflicts between two people's decisions."""

from collections.abc import Mapping
from dataclasses import dataclass

from video_tcav.concepts.bank.changes import Step, agree, remember, write_reviews
from video_tcav.concepts.bank.clips import all_rows, count_concepts, read_row
from video_tcav.concepts.bank.decisions import has_concept
from video_tcav.concepts.bank.embeddings import read_embeddings, set_embeddings
from video_tcav.concepts.bank.files import copy_synced, staged
from video_tcav.concepts.bank.insertion import concept_id, store
from video_tcav.concepts.bank.records import BankClip
from video_tcav.concepts.bank.verdicts import clips_in_words, states
from video_tcav.core.errors import BankError
from video_tcav.core.sqlite import Database
from video_tcav.media import file_digest

_SET_CONCEPT = "UPDATE clips SET concept_id = ? WHERE id = ?"
_SET_SETTLED = "UPDATE clips SET settled_by = ?, verdict = ? WHERE id = ?"


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
    counterparts, added, broken = list[tuple[int, BankClip]](), dict[int, BankClip](), list[str]()
    for row in all_rows(source):
        # The source's key: one made anew would differ if somebody has moved the clip to another concept.
        clip, key = read_row(source.folder, row), str(row["key"])
        existing = _same(database, clip, key)
        if existing is not None:
            counterparts.append((existing, clip))
        elif (copy := _copy(database, clip, key)) is not None:
            added[clip.id] = copy
        else:
            broken.append(f"clip {clip.id}: {clip.path} is missing or was changed")
    decided, conflicts = _decide(database, source, counterparts)
    _copy_reviews(database, source, added)
    _copy_embeddings(database, source, {id: copy.id for id, copy in added.items()})
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
    clips: dict[int, dict[str, object]] = {}  # values before, as the step of undo holds them
    reviews: dict[tuple[int, str], tuple[int, str, str, str]] = {}
    theirs = _reviews_by_clip(source)
    with database.transaction() as change:
        # in the order of the source's numbers, so that the keys of a bank that was empty become the same
        names = [count.name for count in sorted(count_concepts(source), key=lambda count: count.number)]
        new = [name for name in names if not has_concept(change, name)]
        for name in new:
            concept_id(change, name)
        rows = {row["id"]: row for row in states(change, [id for id, _ in counterparts])}
        ours = {(row["clip_id"], row["reviewer"]): tuple(row) for row in change.execute("SELECT * FROM reviews")}
        current = {id: str(row["concept"]) for id, row in rows.items()}
        for id, clip in counterparts:  # several clips of the source may be one of this bank
            conflicts += [f"clip {id}: {words}" for words in _conflicts(current[id], str(rows[id]["verdict"]), clip)]
            if clip.concept and not current[id]:
                clips[id] = {"concept": current[id]}
                current[id] = clip.concept
                change.execute(_SET_CONCEPT, [concept_id(change, clip.concept), id])
            for _, reviewer, verdict, note in theirs.get(clip.id, ()):
                key = id, reviewer
                # a verdict without a name is no second opinion: it only fills a gap
                if ours.get(key, (id, reviewer, "open", ""))[2] != "open" or (
                    not reviewer and rows[id]["verdict"] != "open"
                ):
                    continue
                reviews.setdefault(key, ours.get(key, (id, reviewer, "open", "")))
                ours[key] = id, reviewer, verdict, ours.get(key, ("", "", "", note))[3] or note
            if clip.settled_by is not None and rows[id]["settled_by"] is None and rows[id]["verdict"] == "open":
                clips.setdefault(id, {}).update(settled_by=None, verdict="open")
                change.execute(_SET_SETTLED, [clip.settled_by, clip.verdict, id])
        changed = {**clips, **{id: {} for id, _ in reviews}}
        write_reviews(change, [ours[key] for key in reviews])
        agree(change, changed)
        if changed or new:
            words = f"{clips_in_words(list(changed))} decided by a merge"
            step = Step(words=words, reviewer="", clips=clips, reviews=list(reviews.values()), added=new)
            remember(change, step)
    return len(changed), conflicts


def _conflicts(concept: str, verdict: str, clip: BankClip) -> list[str]:
    """What two people decided differently, in words."""
    conflicts = []
    if clip.concept and concept and concept != clip.concept:
        conflicts.append(f"in {concept} here, in {clip.concept} there")
    if clip.verdict != "open" and verdict not in ("open", clip.verdict):
        conflicts.append(f"{verdict} here, {clip.verdict} there")
    return conflicts


def _reviews_by_clip(source: Database) -> dict[int, list[tuple[int, str, str, str]]]:
    reviews: dict[int, list[tuple[int, str, str, str]]] = {}
    for row in source.read("SELECT * FROM reviews ORDER BY clip_id, reviewer"):
        reviews.setdefault(row["clip_id"], []).append(tuple(row))
    return reviews


def _copy_reviews(database: Database, source: Database, added: Mapping[int, BankClip]) -> None:
    """Give new clips the reviews of the source, instead of one without a name."""
    theirs = _reviews_by_clip(source)
    with database.transaction() as change:
        for id, copy in added.items():
            change.execute("DELETE FROM reviews WHERE clip_id = ?", [copy.id])
            write_reviews(change, [(copy.id, *review[1:]) for review in theirs.get(id, ())])
            [settled] = source.read("SELECT settled_by, verdict FROM clips WHERE id = ?", [id])
            change.execute(_SET_SETTLED, [settled["settled_by"], settled["verdict"], copy.id])


def _copy_embeddings(database: Database, source: Database, added: Mapping[int, int]) -> None:
    """Take the vectors of new clips over, in spaces of the same number of dimensions."""
    for row in source.read("SELECT DISTINCT space FROM embeddings"):
        space = str(row["space"])
        ids, vectors = read_embeddings(source, space)
        width = read_embeddings(database, space)[1].shape[1]
        new = {added[clip]: vector for clip, vector in zip(ids, vectors, strict=True) if clip in added}
        if new and width in (0, vectors.shape[1]):  # 0: no vector yet
            set_embeddings(database, space, new)
