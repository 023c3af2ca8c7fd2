"""Concept bank: clips that a machine proposed, where each came from, and what a person decided."""

from video_tcav.concepts.bank.bank import ConceptBank
from video_tcav.concepts.bank.export import export_clips
from video_tcav.concepts.bank.importing import Imported, import_clips, plan_import, run_import
from video_tcav.concepts.bank.merge import Merged, merge_banks
from video_tcav.concepts.bank.records import KINDS, VERDICTS, BankClip, ConceptCount, Kind, Origin, Verdict
from video_tcav.concepts.bank.sources import bank_sources

__all__ = [
    "KINDS",
    "VERDICTS",
    "BankClip",
    "ConceptBank",
    "ConceptCount",
    "Imported",
    "Kind",
    "Merged",
    "Origin",
    "Verdict",
    "bank_sources",
    "export_clips",
    "import_clips",
    "merge_banks",
    "plan_import",
    "run_import",
]
