"""Videos, images and lists of them: finding, decoding, sampling, loading, naming by content, encoding."""

from video_tcav.media.annotations import read_annotations
from video_tcav.media.decode import VideoInfo, iter_frames, probe_video, read_frames
from video_tcav.media.digest import file_digest, source_digest
from video_tcav.media.encode import write_picture, write_video
from video_tcav.media.encoded_clips import EncodedSource
from video_tcav.media.loader import LoadedClips, Skipped, load_clips, load_source, read_clips
from video_tcav.media.memory_clips import MemorySource
from video_tcav.media.sampling import clip_times
from video_tcav.media.sources import VideoSource, find_videos

__all__ = [
    "EncodedSource",
    "LoadedClips",
    "MemorySource",
    "Skipped",
    "VideoInfo",
    "VideoSource",
    "clip_times",
    "file_digest",
    "find_videos",
    "iter_frames",
    "load_clips",
    "load_source",
    "probe_video",
    "read_annotations",
    "read_clips",
    "read_frames",
    "source_digest",
    "write_picture",
    "write_video",
]
