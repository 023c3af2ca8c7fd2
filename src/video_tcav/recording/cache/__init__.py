"""Activation store: rows of activations and gradients on disk, found again by what they were computed from."""

from video_tcav.recording.cache.cache_view import Recall, opened, read_only_words, recall_for
from video_tcav.recording.cache.maintenance import Pruned, StoreInfo, StoreProblem
from video_tcav.recording.cache.store import ActivationStore, StoredClip

__all__ = [
    "ActivationStore",
    "Pruned",
    "Recall",
    "StoreInfo",
    "StoreProblem",
    "StoredClip",
    "opened",
    "read_only_words",
    "recall_for",
]
