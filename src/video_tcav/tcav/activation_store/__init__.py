"""Activation store: rows of activations and gradients on disk, found again by what they were computed from."""

from video_tcav.tcav.activation_store.recall import Recall, opened, read_only_words, recall_for
from video_tcav.tcav.activation_store.store import ActivationStore, StoredClip
from video_tcav.tcav.activation_store.upkeep import Pruned, StoreInfo, StoreProblem

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
