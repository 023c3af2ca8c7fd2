"""Transfer between banks, and from a bank to a folder, as functions of `ConceptBank`."""

from collections.abc import Sequence
from pathlib import Path

from video_tcav.concepts.bank.bank import ConceptBank
from video_tcav.concepts.bank.export import write_export
from video_tcav.concepts.bank.merge import Merged, merge_databases
from video_tcav.concepts.bank.records import Verdict


def export_clips(
    bank: ConceptBank,
    folder: str | Path,
    *,
    concepts: Sequence[str] | None = None,
    verdict: Verdict | None = "accepted",
) -> Path:
    """Copy clips to a new folder: one folder a concept, and `manifest.csv` with a row a clip.

    A concept's moving clips (or whatever kind it has) bear its name as label; those of another kind are in a folder of
    their own and have the label `NAME:KIND`, since a test is of one kind.

    Args:
        bank: to take them from.
        folder: to make; it may exist if it is empty.
        concepts: which; all that have a name if not given.
        verdict: which clips; `None` takes all.

    Returns:
        The manifest.

    Raises:
        BankError: if there is no such concept, no clip to export, or a file of the bank is missing; then nothing is left.
        OutputError: if the folder holds something or cannot be written to.
    """
    return write_export(bank.database, Path(folder), concepts=concepts, verdict=verdict)


def merge_banks(bank: ConceptBank, other: ConceptBank) -> Merged:
    """Take over the clips and decisions of another bank, which is not changed; can be run again.

    Two clips are the same if file, kind and concept are, or if they are the same proposal that somebody has moved since. A
    decision (accepted, rejected, a concept) wins over none; where both banks decided, this one's stands and the conflict is
    reported. Decisions on clips that were here are one step of undo; new clips stay.

    Raises:
        BankError: for the bank itself.
        OutputError: if the disk is full or the bank cannot be written to; what was added before is kept.
    """
    return merge_databases(bank.database, other.database)
