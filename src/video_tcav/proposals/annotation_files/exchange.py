"""Annotation files into a bank, as clips cut from their videos, and a bank's clips as annotation files."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from video_tcav._version import __version__
from video_tcav.concepts import BankClip, ConceptBank, Imported, Verdict
from video_tcav.core.checks import positive
from video_tcav.core.errors import BankError, MediaError, SourceError
from video_tcav.core.files import atomic_folder
from video_tcav.core.progress import progress_bar
from video_tcav.media import VideoSource, probe_video
from video_tcav.media.files import VIDEO_SUFFIXES, media_files
from video_tcav.media.sampling import nearest_frames
from video_tcav.media.timeline import Timeline, read_timeline
from video_tcav.proposals.annotation_files.annotation import ANNOTATION_FORMATS, AnnotatedVideo, Annotation
from video_tcav.proposals.bank_writer import concept_of
from video_tcav.proposals.hand_cut import LONGEST_S, HandCut, add_cut, path_of


def import_annotations(
    bank: ConceptBank | str | Path,
    path: str | Path,
    *,
    format: str,
    videos: str | Path | None = None,
    verdict: Verdict = "accepted",
    reviewer: str = "",
    piece_s: float = LONGEST_S,
    strict: bool = False,
    progress: bool = False,
) -> Imported:
    """Cut what an annotation file names out of its videos into a bank; what it has already is left as it is.

    With boxes, a clip follows them, in all versions; without, it is the whole picture. The label is the concept.

    Args:
        bank: to cut into, made if there is none.
        path: the annotation file.
        format: `cvat`, `coco` or `activitynet`, or one that another package adds.
        videos: folder with the videos, searched with its subfolders; that of the annotation file if not given.
        verdict: of all new clips.
        reviewer: who decided it; empty for nobody in particular.
        piece_s: longer annotations are cut into clips of equal length, of this many seconds at most.
        strict: whether to stop at the first video that cannot be used.
        progress: whether to show how far it is.

    Raises:
        SourceError: if the file is not of the format, or none of its videos is there.
        InputError: if a value is not possible.
        MediaError: with `strict`, for a video that cannot be used.
        OutputError: if the disk is full or the bank cannot be written to; what was added before is kept.
    """
    positive("piece_s", piece_s, "2 is usual.")
    path = Path(path)
    if not path.is_file():
        raise SourceError(f"`path` must be an annotation file. Got {path}, which is none. Check the path.")
    annotations = ANNOTATION_FORMATS[format].read(path)
    find = _video_finder(path.parent if videos is None else Path(videos))
    if not any(find(annotation.video) for annotation in annotations):
        raise SourceError(
            f"`{path}` must name videos that exist. Got {len(annotations)} annotations, of which none has its video under "
            f"{videos or path.parent}. Name the folder with the videos."
        )
    return cut_annotations(
        bank,
        [(find(annotation.video) or path.parent / annotation.video, annotation) for annotation in annotations],
        origin=format,
        verdict=verdict,
        reviewer=reviewer,
        piece_s=piece_s,
        strict=strict,
        progress=progress,
    )


def cut_annotations(
    bank: ConceptBank | str | Path,
    annotations: Sequence[tuple[Path, Annotation]],
    *,
    origin: str,
    verdict: Verdict,
    reviewer: str = "",
    piece_s: float = LONGEST_S,
    strict: bool = False,
    progress: bool = False,
) -> Imported:
    """Cut annotations out of their videos into a bank; see `import_annotations`.

    Args:
        bank: to cut into, made if there is none.
        annotations: each with its video.
        origin: what they come from, such as `cvat`.
        verdict: of all new clips.
        reviewer: who decided it.
        piece_s: seconds of a clip, at most.
        strict: whether to stop at the first video that cannot be used.
        progress: whether to show how far it is.
    """
    timeline_of = lru_cache(maxsize=64)(lambda video: read_timeline(VideoSource(path=video, kind="video")))
    proposer = {"name": "import", "format": origin, "video_tcav": __version__}
    added = existing = 0
    skipped: dict[Path, MediaError] = {}
    with (
        ConceptBank.opened(bank, create=True) as opened,
        progress_bar("importing", len(annotations), visible=progress) as advance,
    ):
        for video, annotation in annotations:
            try:
                for cut in _cuts(annotation, timeline_of(video), min(piece_s, LONGEST_S)):
                    concept = concept_of(annotation.label)
                    clips, new = add_cut(
                        opened, video, cut, concept=concept, verdict=verdict, reviewer=reviewer, proposer=proposer
                    )
                    added, existing = added + len(new), existing + len(clips) - len(new)
            except MediaError as error:
                if strict:
                    raise
                skipped.setdefault(Path(error.path), error)
            advance(1)
    return Imported(added=added, known=existing, skipped=tuple(skipped.values()))


def export_annotations(
    bank: ConceptBank,
    folder: str | Path,
    *,
    format: str,
    concepts: Sequence[str] | None = None,
    verdict: Verdict | None = "accepted",
) -> Path:
    """Write the clips of a bank as annotations of their source videos, each tube once, into a new folder.

    Args:
        bank: whose clips.
        folder: to make; it may exist if it is empty.
        format: `cvat`, `coco` or `activitynet`, or one that another package adds.
        concepts: which; all that have a name if not given.
        verdict: which clips; `None` takes all.

    Returns:
        The folder.

    Raises:
        BankError: if there is no clip to export.
        MediaError: if a source video cannot be read.
        OutputError: if the folder holds something or cannot be written to.
    """
    writer = ANNOTATION_FORMATS[format]
    videos = annotated_videos(bank, concepts=concepts, verdict=verdict)
    with atomic_folder(Path(folder).absolute()) as partial:
        writer.write(partial, videos)
    return Path(folder)


def annotated_videos(
    bank: ConceptBank, *, concepts: Sequence[str] | None, verdict: Verdict | None
) -> list[AnnotatedVideo]:
    """The source videos of a bank's clips, each with its tubes; see `export_annotations`."""
    wanted = concepts if concepts is not None else [count.name for count in bank.concepts()]
    clips = [
        clip for name in wanted for clip in bank.clips(concept=name, verdict=verdict, tubes=True, order="added") if name
    ]
    if not clips:
        raise BankError(
            f"`bank` must have {verdict or 'some'} clips to export. "
            f"Got none in {', '.join(wanted) or 'a bank without concepts'}. Judge some, or choose another verdict or concept."
        )
    by_video: dict[str, list[BankClip]] = {}
    for clip in clips:
        by_video.setdefault(clip.origin.video, []).append(clip)
    return [_annotated(Path(video), of_video) for video, of_video in by_video.items()]


def _video_finder(folder: Path) -> Callable[[str], Path | None]:
    """Videos below a folder by their name, with or without ending; ActivityNet's files begin with v_."""
    if not folder.is_dir():
        raise SourceError(f"`videos` must be a folder with videos. Got {folder}. Check the path.")
    paths: dict[str, Path] = {}
    for path in media_files(folder):
        if path.suffix.lower() in VIDEO_SUFFIXES:
            for name in (path.name, path.stem, path.stem.removeprefix("v_")):
                paths.setdefault(name, path)

    def find(name: str) -> Path | None:
        base = Path(name.replace("\\", "/")).name
        return paths.get(base) or paths.get(Path(base).stem)

    return find


def _cuts(annotation: Annotation, timeline: Timeline, piece_s: float) -> list[HandCut]:
    """The annotation in seconds, in parts of a bounded length."""
    times_s, boxes = timeline.timestamps_s, annotation.boxes
    if annotation.span_s is not None:
        start_s, end_s = annotation.span_s
    else:
        last = (boxes[-1][0] + 1 if annotation.end_frame is None else annotation.end_frame) - 1
        if not boxes or not 0 <= boxes[0][0] <= last < len(times_s):
            raise MediaError(Path(annotation.video), f"has {len(times_s)} frames, so the annotation's do not fit")
        start_s, end_s = float(times_s[boxes[0][0]]), float(times_s[last]) + timeline.interval_s
    timed = tuple((float(times_s[frame]), box) for frame, box in boxes)
    longest = HandCut(start_s=start_s, end_s=min(end_s, start_s + LONGEST_S), boxes=timed)
    count = math.ceil(round((end_s - start_s) / piece_s, 6))
    edges = np.linspace(start_s, end_s, count + 1).tolist()
    return [replace(longest, start_s=first_s, end_s=until_s) for first_s, until_s in pairwise(edges)]


def _annotated(path: Path, clips: Sequence[BankClip]) -> AnnotatedVideo:
    info = probe_video(path)
    annotations = []
    for clip in clips:
        origin = clip.origin
        whole_picture = (0.0, 0.0, float(info.width), float(info.height))
        boxes = path_of(origin) or tuple((time_s, whole_picture) for time_s in origin.times_s)
        frames = nearest_frames(info.timestamps_s, np.array([time_s for time_s, _ in boxes]))
        by_frame = dict(zip(frames.tolist(), (box for _, box in boxes), strict=True))
        annotations.append(
            Annotation(
                video=path.name,
                label=clip.concept,
                span_s=(origin.start_s, origin.end_s),
                boxes=tuple(sorted(by_frame.items())),
                end_frame=max(by_frame) + 1,
            )
        )
    return AnnotatedVideo(
        path=path,
        width=info.width,
        height=info.height,
        fps=info.fps,
        frames=info.frame_count,
        duration_s=info.duration_s,
        annotations=annotations,
    )
