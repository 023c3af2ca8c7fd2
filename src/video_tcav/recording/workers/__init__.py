"""Workers that fill an activation store before a run reads it: processes of this machine, or the nodes of a Ray cluster."""

from video_tcav.recording.workers.backend import Backend, Chunk, Work
from video_tcav.recording.workers.choose import backend_for
from video_tcav.recording.workers.prefill import Ahead, Part

__all__ = ["Ahead", "Backend", "Chunk", "Part", "Work", "backend_for"]
