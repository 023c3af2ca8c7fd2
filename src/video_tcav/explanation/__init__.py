"""Where and when did a model look? Videos to maps, each with what it is worth."""

from video_tcav.explanation.explain import TOP, explain
from video_tcav.explanation.result import Explanation, Explanations, Part

__all__ = ["TOP", "Explanation", "Explanations", "Part", "explain"]
