"""Predictions: the most probable classes of videos."""

from contextlib import closing
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.concepts import as_sources
from video_tcav.concepts.concept import Sources, left_out_notes
from video_tcav.core.checks import at_least
from video_tcav.core.errors import InputError, MediaError
from video_tcav.core.logs import log_warnings
from video_tcav.core.progress import progress_bar
from video_tcav.media import load_clips
from video_tcav.models import VideoModel
from video_tcav.models.hooks import check_finite, untouched


@dataclass(frozen=True, kw_only=True)
class Label:
    """One class and its probability.

    Attributes:
        label: the class.
        probability: in [0, 1]; `None` where the model's outputs are plain numbers.
        value: the number of a regression, in its own unit; `None` where outputs stand for probabilities.
    """

    label: str
    probability: float | None
    value: float | None = None


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The most probable classes of one video, the most probable first."""

    path: str
    labels: tuple[Label, ...]


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predictions of all usable videos, the errors of the others, and lines on files of folders that are no videos."""

    predictions: tuple[Prediction, ...]
    skipped: tuple[MediaError, ...]
    left_out: tuple[str, ...] = ()


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
        videos: a file, folder, glob or manifest, clips in memory, or an iterable of these, see `concepts.as_sources`.
        top: how many classes.
        windows: clips a video, whose probabilities are averaged.
        strict: whether a file that cannot be used ends the run instead of being listed.
        threads: files decoded at once, beside the model.
        progress: whether to show a progress bar on standard error.

    Raises:
        InputError: if no file can be used, or `top` is below 1.
        MediaError: for a file that cannot be used, if `strict`.
        NonFiniteError: if the model gives NaN or infinity.
    """
    at_least("top", top, 1)
    sources = as_sources(videos)
    predictions, skipped = [], []
    with (
        progress_bar("videos", len(sources), visible=progress) as advance,
        untouched(model.module),
        torch.no_grad(),
        # Closed here, else its decoding threads live as long as the error that ends the loop.
        closing(load_clips(sources, model.clip_spec, windows=windows, threads=threads)) as loaded_videos,
    ):
        for loaded in loaded_videos:
            if loaded.clips is None:
                assert loaded.error is not None
                if strict:
                    raise loaded.error
                skipped.append(loaded.error)
            else:
                inputs = torch.stack([model.prepare(clip) for clip in loaded.clips])
                logits = check_finite(model.logits(inputs), f"the logits of {loaded.source.key}")
                predictions.append(Prediction(path=loaded.source.key, labels=_labels(model, logits, top)))
            advance(1)
    if not predictions:
        raise InputError(
            f"`videos` must hold a file that can be used. Got {len(skipped)} that cannot, the first: {skipped[0]}. "
            "Give other files."
        )
    left_out = left_out_notes(videos)
    log_warnings([*model.remarks(), *left_out, *map(str, skipped)])
    return Predictions(predictions=tuple(predictions), skipped=tuple(skipped), left_out=left_out)


def _labels(model: VideoModel, logits: Float[Tensor, "window class"], top: int) -> tuple[Label, ...]:
    """The most probable classes, or the largest numbers of a regression, averaged over windows."""
    averages = model.outputs.probabilities(logits).mean(0)  # not of logits: usual for several views of a video
    likely = averages.topk(min(top, len(model.classes)))
    are_probabilities = model.outputs.has_probabilities
    return tuple(
        Label(
            label=model.classes[index],
            probability=average if are_probabilities else None,
            value=None if are_probabilities else average,
        )
        for average, index in zip(likely.values.tolist(), likely.indices.tolist(), strict=True)
    )
