"""Splitting a concept whose clips show two things: 2-means of their embeddings, for a person to review."""

from dataclasses import dataclass
from itertools import count

from video_tcav.concepts import ConceptBank
from video_tcav.concepts.bank.clips import unknown_concept
from video_tcav.concepts.bank.embeddings import common_vectors
from video_tcav.concepts.bank.records import LONGEST_NAME
from video_tcav.core.errors import InputError
from video_tcav.proposals.embedding import embed_thumbnails
from video_tcav.proposals.grouping import two_groups


@dataclass(frozen=True, kw_only=True)
class Split:
    """A concept in two.

    Attributes:
        concept: name of the new one.
        moved: its clips, all versions of each tube.
        tubes: how many tubes it has.
        left: how many tubes the old one has left.
    """

    concept: str
    moved: tuple[int, ...]
    tubes: int
    left: int


def split_concept(bank: ConceptBank, concept: str, *, new: str = "", reviewer: str = "", seed: int = 0) -> Split:
    """Move the clips of a concept that are unlike the others into a new concept; verdicts stay. One step of undo.

    Clips are compared by the latest embeddings that all of them have: those of a model, or else thumbnails, which are made
    where they are missing. The smaller of two groups moves.

    Args:
        bank: with the concept.
        concept: that shows two things.
        new: name of the new concept; the old one with a number if not given.
        reviewer: who splits it; empty for nobody in particular.
        seed: of 2-means.

    Raises:
        InputError: if the concept has fewer than two clips that differ, or there is a concept of the new name.
        BankError: if there is no such concept.
    """
    names = [count.name for count in bank.concepts()]
    if new in names:
        raise InputError(f"`new` must be no concept of the bank. Got {new}. Choose another name.")
    if concept not in names:
        raise unknown_concept(bank.folder, names, concept)
    tubes = [clip.id for clip in bank.clips(concept=concept, tubes=True, order="added")]
    vectors = common_vectors(bank.database, tubes)
    if vectors is None:
        embed_thumbnails(bank, concept=concept)
        vectors = common_vectors(bank.database, tubes)
    smaller = None if vectors is None else two_groups(vectors, seed=seed)
    if smaller is None:
        raise InputError(
            f"`concept` must have clips that differ. Got {concept} with {len(tubes)}. Choose clips by hand, and move them."
        )
    chosen = [id for id, moves in zip(tubes, smaller.tolist(), strict=True) if moves]
    moved = bank.versions(chosen)
    name = new or _free_name(concept, names)
    bank.move(moved, name, reviewer=reviewer)
    return Split(concept=name, moved=tuple(moved), tubes=len(chosen), left=len(tubes) - len(chosen))


def _free_name(concept: str, names: list[str]) -> str:
    endings = (f" ({number})" for number in count(2))
    return next(name for ending in endings if (name := concept[: LONGEST_NAME - len(ending)] + ending) not in names)
