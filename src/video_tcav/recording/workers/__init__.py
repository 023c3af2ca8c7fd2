"""Workers that fill an activation store before a run reads it: processes of this machine, or the nodes of a Ray cluster."""

from video_tcav.recording.workers.backend import Backend, Chunk, WorkerSettings
from video_tcav.recording.workers.prefill import PassSpec, Prefill, backend_for

__all__ = ["Backend", "Chunk", "PassSpec", "Prefill", "WorkerSettings", "backend_for"]
