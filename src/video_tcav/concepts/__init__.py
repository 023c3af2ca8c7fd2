"""Concepts: named sets of clips that share something a person can name, their twins, and the bank that keeps them."""

from video_tcav.concepts.bank import KINDS, VERDICTS, BankClip, ConceptBank, ConceptCount, Kind, Origin, Verdict
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
    "Kind",
    "Origin",
    "Twin",
    "Verdict",
    "as_sources",
    "twin_clip",
    "twin_order",
]
