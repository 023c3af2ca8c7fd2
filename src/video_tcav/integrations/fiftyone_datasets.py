"""FiftyOne: tubes of a concept bank and effects on clips as datasets, and labels of a dataset as clips of a bank."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from video_tcav.concepts import ConceptBank, Imported, Verdict
from video_tcav.core.errors import InputError, MissingExtraError
from video_tcav.experiments import Run
from video_tcav.media import probe_video
from video_tcav.proposals.annotation_files.annotation import AnnotatedVideo, Annotation
from video_tcav.proposals.annotation_files.exchange import annotated_videos, cut_annotations
from video_tcav.proposals.hand_cut import LONGEST_S
from video_tcav.tcav import TcavResult

TUBES, CONCEPTS = "tubes", "concepts"
"""Fields: boxes of frames (`Detections`), and spans of videos (`TemporalDetections`)."""
_WHOLE = (0.0, 0.0, 1.0, 1.0)


def bank_to_fiftyone(
    bank: ConceptBank | str | Path,
    name: str,
    *,
    concepts: Sequence[str] | None = None,
    verdict: Verdict | None = "accepted",
) -> Any:
    """Tubes of a bank as a FiftyOne dataset of their source videos.

    A sample is a video. Its field `concepts` has the span of each tube, and `tubes` of its frames the boxes; the label is the
    concept, and `index` the number of the tube in its video.

    Args:
        bank: whose clips, or its folder.
        name: of the dataset, which must be new; it is kept in FiftyOne's database.
        concepts: which; all that have a name if not given.
        verdict: which clips; `None` takes all.

    Returns:
        The `fiftyone.Dataset`.

    Raises:
        MissingExtraError: without FiftyOne.
        InputError: if there is a dataset of that name.
        BankError: if there is no such clip.
        MediaError: if a source video cannot be read.
    """
    fiftyone = _fiftyone()
    with ConceptBank.opened(bank) as opened:
        videos = annotated_videos(opened, concepts=concepts, verdict=verdict)
    return _dataset(fiftyone, name, [_sample(fiftyone, video) for video in videos])


def bank_from_fiftyone(
    samples: Any,
    bank: ConceptBank | str | Path,
    *,
    tubes: str = TUBES,
    spans: str = CONCEPTS,
    verdict: Verdict = "accepted",
    reviewer: str = "",
    piece_s: float = LONGEST_S,
    progress: bool = False,
) -> Imported:
    """Cut what a FiftyOne dataset labels out of its videos into a bank; what the bank has already is left as it is.

    Boxes of one label and `index` are a tube, which clips follow. A span whose index has no boxes is the whole picture. The label
    is the concept.

    Args:
        samples: a dataset or view of videos.
        bank: to cut into, made if there is none.
        tubes: field of the frames with `Detections`.
        spans: field of the samples with `TemporalDetections`.
        verdict: of all new clips.
        reviewer: who decided it; empty for nobody in particular.
        piece_s: longer tubes are cut into clips of equal length, of this many seconds at most.
        progress: whether to show how far it is.

    Raises:
        InputError: if the samples are no videos, or have neither field.
        OutputError: if the disk is full or the bank cannot be written to; what was added before is kept.
    """
    if samples.media_type != "video":
        raise InputError(f"`samples` must be videos. Got {samples.media_type}. Choose a dataset or view of videos.")
    if spans not in samples.get_field_schema() and tubes not in samples.get_frame_field_schema():
        fields = ", ".join([*samples.get_frame_field_schema(), *samples.get_field_schema()])
        raise InputError(f"`samples` must have a field {tubes} or {spans}. Got {fields}. Name one with tubes or spans.")
    annotations = [pair for sample in samples for pair in _annotations(sample, tubes, spans)]
    return cut_annotations(
        bank,
        annotations,
        origin="fiftyone",
        verdict=verdict,
        reviewer=reviewer,
        piece_s=piece_s,
        progress=progress,
    )


def effects_to_fiftyone(result: Run | TcavResult, name: str, *, layer: str | None = None) -> Any:
    """Effects on each class clip as a FiftyOne dataset, to be sorted and looked at.

    A sample is a video of the class, with a field `effect_CONCEPT` for each concept, in units of the target.

    Args:
        result: a finished run, or the result of `run_tcav` with `detail=True`.
        name: of the dataset, which must be new; it is kept in FiftyOne's database.
        layer: where the effects are; the deepest one if not given.

    Returns:
        The `fiftyone.Dataset`. Several windows of a video are averaged. In a run, effects are those of its first model, feature
        space and test; each sample's tag is its class.

    Raises:
        MissingExtraError: without FiftyOne.
        InputError: if there is a dataset of that name, or no clip of the result is a file.
    """
    fiftyone = _fiftyone()
    frame = _clip_effects(result, layer)
    samples = []
    for (target, clip), rows in frame.groupby(["target", "clip"], sort=False):
        path = Path(str(clip)).absolute()
        if path.is_file():
            sample = fiftyone.Sample(filepath=str(path), tags=[target])
            for concept, effects in rows.groupby("concept", sort=False)["effect"]:
                # Names of fields are identifiers there.
                sample[re.sub(r"\W+", "_", f"effect_{concept}")] = float(effects.mean())
            samples.append(sample)
    if not samples:
        raise InputError("`result` must be of clips in files. Got none. Clips in memory cannot be shown there.")
    return _dataset(fiftyone, name, samples)


def _clip_effects(result: Run | TcavResult, layer: str | None) -> pd.DataFrame:
    """Effects against random clips at one layer, of the concepts as they are: one row a concept, clip and window."""
    if isinstance(result, Run):
        frame = pd.read_parquet(result.path / "clip_effects.parquet")
        first = frame[["model", "space", "test"]].iloc[0]
        frame = frame[(frame[["model", "space", "test"]] == first).all(axis=1)]
    elif result.detail is None:
        raise InputError("`result` must have effects of clips. Got none. Call run_tcav with detail=True.")
    else:
        frame = result.detail.clip_frame()
    chosen = layer or frame["layer"].iloc[-1]
    if chosen not in set(frame["layer"]):
        raise InputError(
            f"`layer` must be one of {', '.join(frame['layer'].unique())}. Got {chosen!r}. Choose one of them."
        )
    return frame[(frame["layer"] == chosen) & (frame["versus"] == "random") & (frame["twin"] == "none")].copy()


def _sample(fiftyone: Any, video: AnnotatedVideo) -> Any:
    """A video with the spans and boxes of its tubes; frames count from one there."""
    metadata = fiftyone.VideoMetadata(
        frame_width=video.width,
        frame_height=video.height,
        frame_rate=video.fps,
        total_frame_count=video.frames,
        duration=video.duration_s,
    )
    sample = fiftyone.Sample(filepath=str(video.path), metadata=metadata)
    spans, detections = [], defaultdict(list)
    for index, annotation in enumerate(video.annotations, start=1):
        support = [annotation.boxes[0][0] + 1, annotation.boxes[-1][0] + 1]
        spans.append(fiftyone.TemporalDetection(label=annotation.label, support=support, index=index))
        for frame, (left, top, right, bottom) in annotation.boxes:
            box = (left / video.width, top / video.height, (right - left) / video.width, (bottom - top) / video.height)
            if box != _WHOLE:
                label = fiftyone.Detection(label=annotation.label, bounding_box=list(box), index=index)
                detections[frame + 1].append(label)
    sample[CONCEPTS] = fiftyone.TemporalDetections(detections=spans)
    for frame, labels in detections.items():
        sample.frames[frame] = fiftyone.Frame(**{TUBES: fiftyone.Detections(detections=labels)})
    return sample


def _annotations(sample: Any, tubes: str, spans: str) -> Iterator[tuple[Path, Annotation]]:
    """The tubes of a sample, and its spans without boxes."""
    path, info = Path(sample.filepath), probe_video(sample.filepath)
    boxes: dict[tuple[str, Any], list[tuple[int, tuple[float, float, float, float]]]] = defaultdict(list)
    for number, frame in sample.frames.items():
        for label in getattr(frame.get_field(tubes) if frame.has_field(tubes) else None, "detections", None) or ():
            left, top, width, height = label.bounding_box
            sides = (left * info.width, top * info.height, (left + width) * info.width, (top + height) * info.height)
            # Without an index, every box is a thing of its own.
            boxes[label.label, label.id if label.index is None else label.index].append((number - 1, sides))
    for (label, _), of_tube in boxes.items():
        yield path, Annotation(video=path.name, label=label, boxes=tuple(sorted(of_tube)))
    found = sample.get_field(spans) if sample.has_field(spans) else None
    for span in getattr(found, "detections", None) or ():
        first, last = span.support
        if (span.label, span["index"] if span.has_field("index") else None) not in boxes:
            end_s = float(info.timestamps_s[min(last, info.frame_count) - 1]) + 1 / info.fps
            span_s = (float(info.timestamps_s[first - 1]), end_s)
            yield path, Annotation(video=path.name, label=span.label, span_s=span_s)


def _dataset(fiftyone: Any, name: str, samples: Sequence[Any]) -> Any:
    if fiftyone.dataset_exists(name):
        raise InputError(
            f"`name` must be new. Got {name!r}, a dataset that FiftyOne has. Delete it, or choose another."
        )
    dataset = fiftyone.Dataset(name, persistent=True)
    dataset.add_samples(samples, progress=False)
    return dataset


def _fiftyone() -> Any:
    try:
        return import_module("fiftyone")  # not at the top: its import starts a database
    except ImportError as error:
        raise MissingExtraError("fiftyone", "A dataset of FiftyOne") from error
