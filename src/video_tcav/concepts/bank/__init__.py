"""Concept bank: clips that a machine proposed, where each came from, and what a person decided."""

from video_tcav.concepts.bank.bank import ConceptBank
from video_tcav.concepts.bank.records import KINDS, VERDICTS, BankClip, ConceptCount, Kind, Origin, Verdict

__all__ = [
    "KINDS",
    "VERDICTS",
    "BankClip",
    "ConceptBank",
    "ConceptCount",
    "Kind",
    "Origin",
    "Verdict",
]
