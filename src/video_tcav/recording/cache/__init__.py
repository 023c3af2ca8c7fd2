"""Activation store: rows of activations and gradients on disk, found again by what they were computed from."""

from video_tcav.recording.cache.block_index import StoredClip
from video_tcav.recording.cache.blocks import RowKind
from video_tcav.recording.cache.cache_view import CacheView
from video_tcav.recording.cache.maintenance import Pruned, StoreInfo, StoreProblem
from video_tcav.recording.cache.store import ActivationStore

__all__ = [
    "ActivationStore",
    "CacheView",
    "Pruned",
    "RowKind",
    "StoreInfo",
    "StoreProblem",
    "StoredClip",
]
