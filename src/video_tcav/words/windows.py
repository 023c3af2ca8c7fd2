"""Windows of videos, segments of one length at a stride, each embedded once while its video is decoded once."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Int

from video_tcav.concepts import as_sources
from video_tcav.concepts.concept import Sources
from video_tcav.core.checks import positive
from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import InputError, MediaError
from video_tcav.core.progress import progress_bar
from video_tcav.media import Skipped, VideoSource, clip_times, file_digest, iter_frames
from video_tcav.media.loader import segment_frames
from video_tcav.media.memory_clips import refuse_memory
from video_tcav.media.timeline import Timeline, read_timeline
from video_tcav.words.embedding_files import EmbeddingFiles
from video_tcav.words.encoder import Frames, Rows, TextVideoEncoder, clip_rows

_BATCH = 4  # windows that are in memory at once, in the video's own size
_LEAST_SHARE = 0.5  # of a window: a shorter rest at the end of a video is left out


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """A segment of a video.

    Attributes:
        source: the video, with the segment.
        video_digest: SHA-256 of its file, in hex.
        start_s: when the segment begins.
        end_s: when it ends.
    """

    source: VideoSource
    video_digest: str
    start_s: float
    end_s: float


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddedWindows:
    """Windows of all videos that can be read, and their unit embeddings.

    Attributes:
        windows: video after video, by time.
        rows: one a window.
        skipped: videos that cannot be used, and why.
    """

    windows: tuple[Window, ...]
    rows: Rows
    skipped: tuple[Skipped, ...] = field(default=())


def embed_windows(
    encoder: TextVideoEncoder,
    videos: Sources,
    *,
    length_s: float = 2.0,
    stride_s: float | None = None,
    keep: bool = True,
    progress: bool = False,
) -> EmbeddedWindows:
    """Cut videos into windows and embed each.

    Args:
        encoder: embeds them.
        videos: files, folders, globs or manifests; of segments, only these are cut. Images are left out.
        length_s: of a window; a shorter video is one window.
        stride_s: from one window's start to the next; half of the length if not given.
        keep: whether embeddings are kept in `core.cache_folder.embedding_folder()`, by the content of videos and encoder.
        progress: whether to show a bar.

    Raises:
        SourceError: if there is no video.
        InputError: if a setting is not possible, or no video can be used.
    """
    positive("length_s", length_s, "2 is usual.")
    stride_s = (
        length_s / 2 if stride_s is None else positive("stride_s", stride_s, "Leave it out for half of the length.")
    )
    sources = video_sources(videos)
    files = EmbeddingFiles(encoder, keep=keep)
    windows, rows, skipped, contents = list[Window](), list[Rows](), list[Skipped](), set[tuple[str, float, float]]()
    with progress_bar("embedding (videos)", len(sources), visible=progress) as advance:
        for source in sources:
            try:
                cut = _windows_of(source, length_s, stride_s)
                # a copy of a video would give each of its windows twice
                cut = [window for window in cut if _content(window) not in contents]
                if cut:
                    rows.append(_rows_of(encoder, source, cut, files))
                    windows += cut
                    contents |= {_content(window) for window in cut}
            except MediaError as error:
                skipped.append(Skipped(path=str(error.path), reason=error.reason))
            advance(1)
    if not windows:
        raise InputError(
            f"`videos` must hold a video that can be used. Got {len(skipped)} that cannot, the first: {skipped[0]}."
            " Give other files."
        )
    return EmbeddedWindows(windows=tuple(windows), rows=np.concatenate(rows), skipped=tuple(skipped))


def video_sources(videos: Sources) -> list[VideoSource]:
    """The sources that play.

    Raises:
        SourceError: if there is none, or one is a clip in memory.
        InputError: if all are images.
    """
    sources = [source for source in as_sources(videos) if source.kind != "still"]
    refuse_memory(sources, "a search by words")
    if not sources:
        raise InputError("`videos` must hold a video at least. Got images only. Give files that play.")
    return sources


def window_frames(timeline: Timeline, source: VideoSource, frames: int) -> Int[np.ndarray, " time"]:
    """Indices of the frames of a segment that an encoder sees: from the middles of equal times."""
    first, last = segment_frames(source, timeline)
    spec = ClipSpec(frames=frames, sampling="uniform", short="pad")
    return first + clip_times(timeline.timestamps_s[first:last], spec, path=source.path)[0]


def _content(window: Window) -> tuple[str, float, float]:
    return window.video_digest, window.start_s, window.end_s


def _windows_of(source: VideoSource, length_s: float, stride_s: float) -> list[Window]:
    timeline, digest = read_timeline(source), file_digest(source.path)
    first, last = segment_frames(source, timeline)
    begin_s = float(timeline.timestamps_s[first])
    rest_s = float(timeline.timestamps_s[last - 1]) + timeline.interval_s - begin_s
    count = 1 + max(0, int((rest_s - length_s * _LEAST_SHARE) / stride_s))
    windows = []
    for number in range(count):
        start_s = begin_s + number * stride_s
        end_s = min(start_s + length_s, begin_s + rest_s)
        if number and end_s - start_s < length_s * _LEAST_SHARE:
            break
        segment = VideoSource(path=source.path, kind=source.kind, label=source.label, start_s=start_s, end_s=end_s)
        windows.append(Window(source=segment, video_digest=digest, start_s=start_s, end_s=end_s))
        if end_s >= begin_s + rest_s - 1e-9:  # what follows would show nothing new
            break
    return windows


def _rows_of(encoder: TextVideoEncoder, source: VideoSource, windows: Sequence[Window], files: EmbeddingFiles) -> Rows:
    times = [[window.start_s, window.end_s] for window in windows]

    def embed() -> Rows:
        with closing(_clips(source, windows, encoder.frames)) as clips:
            return np.concatenate([clip_rows(encoder, batch) for batch in _batches(clips)])

    return files.rows("windows", windows[0].video_digest, times, count=len(windows), make=embed)


def _clips(source: VideoSource, windows: Sequence[Window], frames: int) -> Generator[Frames, None, None]:
    """The clip of each window; the video is decoded once, and frames are held as long as a window needs them."""
    timeline = read_timeline(source)
    indices = [window_frames(timeline, window.source, frames) for window in windows]
    wanted = np.unique(np.concatenate(indices))
    buffered: dict[int, Frames] = {}
    with closing(iter_frames(source, wanted, timeline=timeline)) as frames_of_video:
        decoded = zip(wanted.tolist(), frames_of_video, strict=True)
        for of_window in indices:
            buffered = {index: frame for index, frame in buffered.items() if index >= of_window[0]}
            while of_window[-1] not in buffered:
                index, frame = next(decoded)
                buffered[index] = frame
            yield torch.stack([buffered[index] for index in of_window.tolist()])


def _batches(clips: Iterator[Frames]) -> Iterator[list[Frames]]:
    batch: list[Frames] = []
    for clip in clips:
        batch.append(clip)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
