"""Two banks into one: what two people decided apart."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from video_tcav.concepts.bank import decisions as changes
from video_tcav.concepts.bank.clips import all_rows, read_row
from video_tcav.concepts.bank.embeddings import read_embeddings, set_embeddings
from video_tcav.concepts.bank.files import copy_synced, staged
from video_tcav.concepts.bank.insertion import NewClip, concept_id, store
from video_tcav.concepts.bank.records import BankClip
from video_tcav.core.errors import BankError
from video_tcav.media import file_digest

if TYPE_CHECKING:
    from video_tcav.concepts.bank.bank import ConceptBank


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


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """A clip of this bank, and the same in the other."""

    id: int
    other: BankClip


def merge_banks(bank: "ConceptBank", other: "ConceptBank") -> Merged:
    """Take over the clips and decisions of another bank, which is not changed; can be run again.

    Two clips are the same if file, kind and concept are, or if they are the same proposal that somebody has moved since. A
    decision (accepted, rejected, a concept) wins over none; where both banks decided, this one's stands and the conflict is
    told. Decisions on clips that were here are one step of undo; new clips stay.

    Raises:
        BankError: for the bank itself.
        OutputError: if the disk is full or the bank cannot be written to; what was added before is kept.
    """
    if bank.folder.resolve() == other.folder.resolve():
        raise BankError(f"`other` must be another bank. Got {other.folder} twice. Give the bank to take clips from.")
    pairs, added, broken = list[_Pair](), dict[int, int](), list[str]()
    for row in all_rows(other.database):
        theirs = read_row(other.folder, row)
        here = _same(bank, theirs, str(row["key"]))
        if here is not None:
            pairs.append(_Pair(id=here, other=theirs))
        elif (new := _copy(bank, theirs, str(row["key"]))) is not None:
            added[theirs.id] = new.id
        else:
            broken.append(f"clip {theirs.id}: {theirs.path} is missing or was changed")
    decided, conflicts = _decide(bank, other, pairs)
    _take_embeddings(bank, other, added)
    return Merged(added=len(added), decided=decided, conflicts=tuple(conflicts), broken=tuple(broken))


def _same(bank: "ConceptBank", theirs: BankClip, key: str) -> int | None:
    asked = """
        SELECT clips.id FROM clips LEFT JOIN concepts ON concepts.id = concept_id
        WHERE (digest = ? AND kind = ? AND coalesce(concepts.name, '') = ?) OR key = ?
        ORDER BY key = ? DESC, clips.id LIMIT 1
    """
    found = bank.database.read(asked, [theirs.digest, theirs.kind, theirs.concept, key, key])
    return int(found[0]["id"]) if found else None


def _copy(bank: "ConceptBank", theirs: BankClip, key: str) -> BankClip | None:
    """The clip in this bank; `None` if its file is not what it was."""
    if not theirs.path.is_file():
        return None
    new = NewClip(
        key=key,
        concept=theirs.concept,
        kind=theirs.kind,
        verdict=theirs.verdict,
        origin=theirs.origin,
        tube=theirs.tube,
        quality=theirs.quality,
        frames=theirs.frames,
        width=theirs.width,
        height=theirs.height,
        fps=theirs.fps,
    )
    with staged(bank.folder, theirs.path.suffix) as copy:
        copy_synced(theirs.path, copy)
        return store(bank.database, copy, new) if file_digest(copy) == theirs.digest else None


def _decide(bank: "ConceptBank", other: "ConceptBank", pairs: list[_Pair]) -> tuple[int, list[str]]:
    """Settle what both banks know, in one change."""
    conflicts: list[str] = []
    with bank.database.transaction() as change:
        now = {clip: (concept, verdict) for clip, concept, verdict in changes.states(change, [one.id for one in pairs])}
        before: changes.State = []
        after: changes.State = []
        for pair in pairs:
            ours = now[pair.id]
            settled, words = _settle(ours, pair.other)
            conflicts += [f"clip {pair.id}: {text}" for text in words]
            if settled != ours:
                before.append((pair.id, *ours))
                after.append((pair.id, *settled))
                now[pair.id] = settled
        names = {count.name for count in other.concepts()}
        new = sorted(name for name in names if not changes.has_concept(change, name))
        for name in new:
            concept_id(change, name)
        changes.update(change, after)
        if before or new:
            changes.remember(change, f"{changes.clips_in_words(before)} decided by a merge", before, added=new)
    return len(before), conflicts


def _settle(ours: tuple[str, str], theirs: BankClip) -> tuple[tuple[str, str], list[str]]:
    """Concept and verdict that stand, and what two people decided differently."""
    concept, verdict = ours[0] or theirs.concept, theirs.verdict if ours[1] == "open" else ours[1]
    words = []
    if theirs.concept and concept != theirs.concept:
        words.append(f"in {concept} here, in {theirs.concept} there")
    if theirs.verdict not in ("open", verdict):
        words.append(f"{verdict} here, {theirs.verdict} there")
    return (concept, verdict), words


def _take_embeddings(bank: "ConceptBank", other: "ConceptBank", added: dict[int, int]) -> None:
    for row in other.database.read("SELECT DISTINCT space FROM embeddings"):
        space = str(row["space"])
        ids, vectors = other.embeddings(space)
        _, known = read_embeddings(bank.database, space)
        new = {added[clip]: vector for clip, vector in zip(ids, vectors, strict=True) if clip in added}
        if new and known.shape[1] in (0, vectors.shape[1]):
            set_embeddings(bank.database, space, new)
