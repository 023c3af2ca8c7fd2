"""Completeness of a run: is that all? How much of a target the tested concepts explain together, and what they leave."""

from video_tcav.tcav.completeness.measure import run_completeness
from video_tcav.tcav.completeness.results import (
    MANIFEST,
    UNEXPLAINED,
    NotMeasured,
    RunCompleteness,
    ShareOfConcept,
    UnexplainedClip,
)

__all__ = [
    "MANIFEST",
    "UNEXPLAINED",
    "NotMeasured",
    "RunCompleteness",
    "ShareOfConcept",
    "UnexplainedClip",
    "run_completeness",
]
