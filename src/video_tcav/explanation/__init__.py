"""Explanations of videos: attribution maps, each with its faithfulness measured."""

from video_tcav.explanation.explain import TOP, explain
from video_tcav.explanation.result import Explanation, ExplanationFacts, Explanations, Part
from video_tcav.explanation.verdicts import MapComparison, MapVerdict, map_verdicts

__all__ = [
    "TOP",
    "Explanation",
    "ExplanationFacts",
    "Explanations",
    "MapComparison",
    "MapVerdict",
    "Part",
    "explain",
    "map_verdicts",
]
