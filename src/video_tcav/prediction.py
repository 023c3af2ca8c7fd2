"""Predictions: the most probable classes of videos."""

from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import ClassVar

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.concepts import as_sources
from video_tcav.concepts.concept import Sources, left_out_notes
from video_tcav.core.checks import at_least
from video_tcav.core.displays import PlainText, html_heading, html_table
from video_tcav.core.errors import InputError, MediaError
from video_tcav.core.item_sequence import ItemSequence
from video_tcav.core.logs import log_warnings
from video_tcav.core.progress import progress_bar
from video_tcav.media import load_clips
from video_tcav.models import VideoModel
from video_tcav.models.class_names import classes_by_simple_name, simple_name
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

    @property
    def amount(self) -> str:
        """The probability, or the number of a regression, as it is printed."""
        return f"{self.value:.4g}" if self.probability is None else f"{self.probability:.3f}"


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The most probable classes of one video, the most probable first.

    Attributes:
        path: the video, and its segment if it is one.
        labels: classes with their probabilities.
        actual: the class that its folder or manifest says, where that is a class of the model; else `None`.
    """

    path: str
    labels: tuple[Label, ...]
    actual: str | None = None

    @property
    def is_right(self) -> bool:
        """Whether the most probable class is the actual one."""
        return self.labels[0].label == self.actual


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """How many videos of one class were taken for another."""

    actual: str
    predicted: str
    count: int


@dataclass(frozen=True, kw_only=True, repr=False)
class Predictions(ItemSequence[Prediction]):
    """Predictions of all usable videos, a sequence of `Prediction`, with what could not be used.

    Attributes:
        predictions: one a video.
        skipped: errors of files that could not be used.
        left_out: lines on files of folders that are no videos.
    """

    FIELD: ClassVar[str] = "predictions"

    predictions: tuple[Prediction, ...]
    skipped: tuple[MediaError, ...]
    left_out: tuple[str, ...] = ()

    @property
    def labelled(self) -> tuple[Prediction, ...]:
        """Those whose actual class is known."""
        return tuple(prediction for prediction in self if prediction.actual is not None)

    @property
    def accuracy(self) -> float | None:
        """Share of right ones among those whose class is known, in [0, 1]; `None` where none is."""
        labelled = self.labelled
        return sum(prediction.is_right for prediction in labelled) / len(labelled) if labelled else None

    @property
    def confusions(self) -> tuple[Confusion, ...]:
        """Which classes were taken for which, the most common first."""
        pairs = Counter((each.actual, each.labels[0].label) for each in self.labelled if not each.is_right)
        return tuple(
            Confusion(actual=str(actual), predicted=predicted, count=count)
            for (actual, predicted), count in pairs.most_common()
        )

    def summary(self, most: int = 3) -> str:
        """How many are right, and the most common confusions, as a sentence; empty where no class is known."""
        labelled, confusions = self.labelled, self.confusions
        if not labelled:
            return PlainText()
        right = sum(prediction.is_right for prediction in labelled)
        text = f"{right} of {len(labelled)} right, going by the names of folders or the labels of lists"
        if len(labelled) < len(self):
            text += f"; {len(self) - len(labelled)} more are of no known class"
        if confusions:
            listed = ", ".join(f"{each.actual} taken for {each.predicted} ({each.count})" for each in confusions[:most])
            text += f"; most often wrong: {listed}"
        return PlainText(f"{text}.")

    def to_frame(self) -> pd.DataFrame:
        """One row a video and class."""
        return pd.DataFrame(
            [
                {"path": each.path, "actual": each.actual, "rank": rank, **vars(label)}
                for each in self
                for rank, label in enumerate(each.labels, start=1)
            ]
        )

    def __repr__(self) -> str:
        known = "" if self.accuracy is None else f", accuracy {self.accuracy:.2f}"
        return f"<Predictions of {len(self)} videos{known}>"

    def _repr_html_(self) -> str:
        columns = ["video", "class", "probability", *(["labelled"] if self.confusions else [])]
        rows = [
            [each.path, each.labels[0].label, each.labels[0].amount, "" if each.is_right else each.actual or ""]
            for each in self
        ]
        rows = [row[: len(columns)] for row in rows]
        return html_heading(self.summary()) + html_table(columns, rows, numbers=("probability",))


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

    Returns:
        One prediction a video; where folders or lists name classes of the model, with `accuracy` and `confusions`.
    """
    at_least("top", top, 1)
    sources = as_sources(videos)
    class_names = classes_by_simple_name(model.classes) if model.outputs.has_probabilities else {}
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
                labels = _labels(model, logits, top)
                actual = class_names.get(simple_name(loaded.source.label or ""))
                predictions.append(Prediction(path=loaded.source.key, labels=labels, actual=actual))
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
