"""Concepts: named sets of clips that share something a person can name, their twins, and the bank that keeps them."""

from video_tcav.concepts.bank import (
    KINDS,
    VERDICTS,
    BankClip,
    ConceptBank,
    ConceptCount,
    Imported,
    Kind,
    Merged,
    Origin,
    Verdict,
    export_clips,
    import_clips,
    merge_banks,
)
from video_tcav.concepts.concept import Concept, as_sources
from video_tcav.concepts.twins import TWINS, Twin, twin_clip, twin_order

__all__ = [
    "KINDS",
    "TWINS",
    "VERDICTS",
    "BankClip",
    "Concept",
    "ConceptBank",
    "ConceptCount",
    "Imported",
    "Kind",
    "Merged",
    "Origin",
    "Twin",
    "Verdict",
    "as_sources",
    "export_clips",
    "import_clips",
    "merge_banks",
    "twin_clip",
    "twin_order",
]
