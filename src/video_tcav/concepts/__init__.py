"""Concepts: named sets of clips that share something a person can name, and their twins."""

from video_tcav.concepts.concept import Concept, as_sources
from video_tcav.concepts.twins import TWINS, Twin, twin_clip, twin_order

__all__ = ["TWINS", "Concept", "Twin", "as_sources", "twin_clip", "twin_order"]
