"""Explanations of videos: attribution maps, each with its faithfulness measured."""

from video_tcav.explanation.explain import TOP, explain
from video_tcav.explanation.result import Explanation, ExplanationFacts, Explanations, Part

__all__ = ["TOP", "Explanation", "ExplanationFacts", "Explanations", "Part", "explain"]
