"""Workers that fill an activation store before a run reads it: processes of this machine, or the nodes of a Ray cluster."""

from video_tcav.recording.workers.prefill import PassSpec, backend_for, prefill

__all__ = ["PassSpec", "backend_for", "prefill"]
