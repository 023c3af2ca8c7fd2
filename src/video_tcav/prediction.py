"""What a model sees in videos: the most probable classes."""

from dataclasses import dataclass

import torch

from video_tcav.concepts import as_sources
from video_tcav.concepts.concept import Sources
from video_tcav.core.errors import InputError, MediaError
from video_tcav.core.progress import progress_bar
from video_tcav.media import load_clips
from video_tcav.models import VideoModel
from video_tcav.models.record import check_finite, untouched


@dataclass(frozen=True, kw_only=True)
class Label:
    """One class and its probability, in [0, 1]."""

    label: str
    probability: float


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The most probable classes of one video, the most probable first."""

    path: str
    labels: tuple[Label, ...]


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predictions of all videos that could be used, and the errors of those that could not."""

    predictions: tuple[Prediction, ...]
    skipped: tuple[MediaError, ...]


def predict(
    model: VideoModel,
    videos: Sources,
    *,
    top: int = 5,
    windows: int = 1,
    strict: bool = False,
    threads: int = 2,
    progress: bool = False,
) -> Predictions:
    """The most probable classes of each video.

    Args:
        model: from `load_model`.
        videos: a file, folder, glob or manifest, or several of these.
        top: how many classes.
        windows: clips a video, whose probabilities are averaged.
        strict: whether a file that cannot be used ends the run instead of being listed.
        threads: files decoded at once, beside the model.
        progress: whether to show a progress bar on standard error.

    Raises:
        InputError: if no file can be used.
        MediaError: for a file that cannot be used, if `strict`.
        NonFiniteError: if the model gives NaN or infinity.
    """
    sources = as_sources(videos)
    found, skipped = [], []
    with (
        progress_bar("videos", len(sources), visible=progress) as advance,
        untouched(model.module),
        torch.no_grad(),
    ):
        for loaded in load_clips(sources, model.clip_spec, windows=windows, threads=threads):
            if loaded.clips is None:
                assert loaded.error is not None
                if strict:
                    raise loaded.error
                skipped.append(loaded.error)
            else:
                inputs = torch.stack([model.prepare(clip) for clip in loaded.clips])
                logits = check_finite(model.logits(inputs), f"the logits of {loaded.source.key}")
                likely = logits.softmax(1).mean(0).topk(min(top, len(model.classes)))
                labels = tuple(
                    Label(label=model.classes[index], probability=value)
                    for value, index in zip(likely.values.tolist(), likely.indices.tolist(), strict=True)
                )
                found.append(Prediction(path=loaded.source.key, labels=labels))
            advance(1)
    if not found:
        raise InputError(
            f"`videos` must hold a file that can be used. Got {len(skipped)} that cannot, the first: {skipped[0]}. "
            "Give other files."
        )
    return Predictions(predictions=tuple(found), skipped=tuple(skipped))
