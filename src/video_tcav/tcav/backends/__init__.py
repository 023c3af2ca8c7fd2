"""Workers that fill an activation store before a run reads it: processes of this machine, or the nodes of a Ray cluster."""

from video_tcav.tcav.backends.ahead import Ahead, Part
from video_tcav.tcav.backends.backend import Backend, Chunk, Work
from video_tcav.tcav.backends.choose import backend_for

__all__ = ["Ahead", "Backend", "Chunk", "Part", "Work", "backend_for"]
