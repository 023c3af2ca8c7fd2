"""Workers that pass clips before a run reads what they gave: processes of this machine, or the nodes of a Ray cluster."""

from video_tcav.recording.workers.chunks import Job, Piece, job_fields
from video_tcav.recording.workers.prefill import PassSpec, backend_for, batch_size, hand_out, prefill, require_writable

__all__ = [
    "Job",
    "PassSpec",
    "Piece",
    "backend_for",
    "batch_size",
    "hand_out",
    "job_fields",
    "prefill",
    "require_writable",
]
