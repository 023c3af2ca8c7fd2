"""`propose`: detect, track and cut clips of videos into a bank, leave out duplicates, group what looks alike."""

import math
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any

import torch

from video_tcav.concepts import BankClip, ConceptBank, as_sources
from video_tcav.concepts.concept import Sources
from video_tcav.core.checks import at_least, one_of
from video_tcav.core.errors import InputError, MediaError
from video_tcav.core.progress import Advance, progress_bar
from video_tcav.media import Skipped, VideoSource, file_digest, iter_frames
from video_tcav.media.memory_clips import refuse_memory
from video_tcav.media.timeline import read_timeline
from video_tcav.models import VideoModel
from video_tcav.proposals.bank_writer import BankWriter, Video, concept_of
from video_tcav.proposals.detect_tubes import find_tubes
from video_tcav.proposals.detector import Detector
from video_tcav.proposals.detector_spec import parse_detector
from video_tcav.proposals.embedding import ClipEmbedder
from video_tcav.proposals.grouping import GROUPINGS, Grouping, group_clips, group_name
from video_tcav.proposals.motion import MOTION
from video_tcav.proposals.progress_log import Done, ProgressLog
from video_tcav.proposals.settings import Proposals, Settings, Tally
from video_tcav.proposals.shots import shot_segments
from video_tcav.proposals.tracking import check_tracker

_NOT = "not "  # begins the label of a negative


def propose(
    videos: Sources,
    bank: ConceptBank | str | Path,
    *,
    detector: Detector | str,
    labels: Sequence[str] | None = None,
    motion: bool = False,
    every_s: float = 0.2,
    max_clips: int = 500,
    embed: VideoModel | None = None,
    group: Grouping = "hdbscan",
    negatives: bool = False,
    threads: int = 2,
    device: str | torch.device = "auto",
    seed: int = 0,
    progress: bool = False,
    **settings: Any,
) -> Proposals:
    """Propose clips for concepts from videos; a person decides about them afterwards.

    Each clip is on disk before the next is cut, so a run that is killed loses nothing, and the same call goes on where
    it ended: a video whose tubes are all in the bank is not done again.

    Args:
        videos: files, folders, globs or manifests; images are left out.
        bank: where to, made if there is none.
        detector: a `Detector`, or a spec for `parse_detector`.
        labels: what to find; everything that the detector knows if not given.
        motion: whether to propose what moves, too, where the detector has no name for it.
        every_s: distance of the frames that the detector sees.
        max_clips: how many clips the videos may have together, all versions counted; shared out evenly.
        embed: model that sees which clips are alike: duplicates in a video are left out, groups get concepts of their own.
        group: how groups are found; only with `embed`.
        negatives: whether to propose places without each label, as "not LABEL".
        threads: of an ONNX detector.
        device: where a torchvision or Hugging Face detector runs; `auto` takes the first GPU that there is.
        seed: of every random draw.
        progress: whether to show a bar.
        settings: further fields of `Settings`: `kinds`, `piece_s`, `pad`, `side_px`, `start_score`, ...

    Returns:
        What is new in the bank, and which videos could not be used.

    Raises:
        SourceError: if there is no video.
        InputError: if a setting is not possible.
        BankError: if the bank cannot be opened.
        OutputError: if it cannot be written to.
        MissingExtraError: if what the detector needs is not installed.
    """
    at_least("max_clips", max_clips, 1)
    one_of("group", group, GROUPINGS)
    sources = _whole_videos(videos)
    refuse_memory(sources, "proposals")
    check_tracker()
    first = parse_detector(detector, labels, threads=threads, device=device) if isinstance(detector, str) else detector
    chosen = Settings(
        detectors=(first, parse_detector(MOTION)) if motion and first.name != MOTION else (first,),
        labels=None if labels is None else tuple(labels),
        every_s=every_s,
        negatives=negatives,
        embedder=ClipEmbedder(embed) if embed else None,
        seed=seed,
        **settings,
    )
    with ConceptBank.opened(bank, create=True) as opened:
        return _propose(sources, opened, chosen, max_clips, group, progress)


def _whole_videos(videos: Sources) -> list[VideoSource]:
    sources = [source for source in as_sources(videos) if source.kind != "still"]
    if not sources:
        raise InputError("`videos` must hold a video at least. Got images only. Give files that play.")
    segment = next((source for source in sources if source.start_s is not None or source.end_s is not None), None)
    if segment is not None:
        raise InputError(
            f"`videos` must be whole videos. Got a segment, {segment.key}. Give the files themselves: proposals cut them."
        )
    return sources


def _propose(
    sources: Sequence[VideoSource],
    bank: ConceptBank,
    settings: Settings,
    max_clips: int,
    group: Grouping,
    progress: bool,
) -> Proposals:
    tally = Tally()
    videos = readable_videos(sources, tally)
    log = ProgressLog(bank, settings.facts())
    left = max_clips
    total = sum(len(video.timeline.timestamps_s) for video in videos)
    with progress_bar("proposing (frames)", total, visible=progress) as advance:
        for number, video in enumerate(videos):
            quota = math.ceil(left / (len(videos) - number))  # what a video does not use goes to those after it
            writer = BankWriter(bank=bank, settings=settings, video=video, quota=quota, tally=tally)
            left -= _propose_video(writer, log, advance)
    groups = _group(bank, settings, group) if settings.embedder and group != "none" else {}
    return tally.result(groups)


def readable_videos(sources: Sequence[VideoSource], tally: Tally) -> list[Video]:
    """Every video once, by its content; those that cannot be read are noted."""
    videos: dict[str, Video] = {}
    for source in {source.path: source for source in sources}.values():
        try:
            digest = file_digest(source.path)
            if digest not in videos:
                videos[digest] = Video(source=source, digest=digest, timeline=read_timeline(source))
        except MediaError as error:
            tally.skipped.append(Skipped(path=str(error.path), reason=error.reason))
    return list(videos.values())


def _propose_video(writer: BankWriter, log: ProgressLog, advance: Advance) -> int:
    """Go through one video; how many clips of it are in the bank."""
    video, settings, tally = writer.video, writer.settings, writer.tally
    frame_count = len(video.timeline.timestamps_s)
    done = log.find(video.digest, settings.kinds, writer.quota)
    if done:
        tally.done_before += 1
        tally.limited |= done.limited
        advance(frame_count)
        return len(done.tubes) * len(settings.kinds)
    frames_before = tally.detector_frames
    advanced = 0
    frames = iter_frames(video.source, timeline=video.timeline)
    try:
        for segment in shot_segments(frames, video.timeline.timestamps_s, side_px=settings.detector_side_px):
            tubes = find_tubes(segment, settings, tally)
            writer.write(segment, tubes, len(segment.frames) / max(1, frame_count - segment.first))
            advanced += len(segment.frames)
            advance(len(segment.frames))
    except MediaError as error:
        tally.skipped.append(Skipped(path=str(error.path), reason=error.reason))
        advance(frame_count - advanced)
        return writer.clips
    finally:
        frames.close()
        writer.frames.close()
    log.write(
        video.digest,
        Done(
            tubes=tuple(writer.tubes),
            quota=writer.quota,
            limited=writer.limited,
            frames=tally.detector_frames - frames_before,
        ),
    )
    tally.videos += 1
    tally.limited |= writer.limited
    return writer.clips


def _group(bank: ConceptBank, settings: Settings, group: Grouping) -> dict[str, int]:
    """Give clips that look alike a concept of their own, as long as nobody has decided anything about them."""
    assert settings.embedder is not None
    ids, vectors = bank.embeddings(settings.embedder.space)
    row = {clip: at for at, clip in enumerate(ids)}
    unsorted = [clip for clip in bank.clips(verdict="open") if _is_unsorted(clip)]
    clips = [clip for clip in unsorted if clip.kind == "moving" and clip.id in row]
    if not clips:
        return {}
    numbers = group_clips(vectors[[row[clip.id] for clip in clips]], method=group, seed=settings.seed)
    groups: dict[str, int] = {}
    taken = {concept.name for concept in bank.concepts()}
    for number in sorted(set(numbers.tolist()) - {-1}):  # -1: in no group
        members = [clip for clip, its_number in zip(clips, numbers, strict=True) if its_number == number]
        wanted = concept_of(group_name([clip.origin for clip in members]))
        names = chain([wanted], (f"{wanted} {number}" for number in count(2)))
        name = next(name for name in names if name not in taken and name not in groups)
        tubes = {clip.tube for clip in members}
        # only moving clips have vectors: the other versions of their tubes go with them
        versions = [clip for clip in unsorted if clip.tube in tubes]
        moved = {
            id
            for concept in {clip.concept for clip in versions}
            for id in bank.sort_open([clip.id for clip in versions if clip.concept == concept], name, expected=concept)
        }
        if moved:
            groups[name] = len({clip.tube for clip in versions if clip.id in moved})
    return groups


def _is_unsorted(clip: BankClip) -> bool:
    """Whether it is where its label put it, and no negative."""
    return clip.concept == concept_of(clip.origin.label) and not clip.origin.label.startswith(_NOT)
