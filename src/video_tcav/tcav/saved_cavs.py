"""CAVs apart from their run: unit vectors in activation space that can score clips the run has never seen."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.concepts import as_sources
from video_tcav.concepts.concept import Sources
from video_tcav.core.errors import InputError, ModelError, ShapeError
from video_tcav.core.progress import progress_bar
from video_tcav.core.scratch import scratch_folder
from video_tcav.gram.cavs import CavKind, fit_cavs, unit_coefficients
from video_tcav.gram.gram import Gram
from video_tcav.gram.kernel import kernel_of
from video_tcav.media import Skipped
from video_tcav.models import VideoModel
from video_tcav.models.targets import parse_target
from video_tcav.recording.clip_id import ClipId
from video_tcav.recording.feature_spaces import Space
from video_tcav.recording.inner_products import BLOCK_BYTES, block_columns, combine_rows
from video_tcav.recording.recorder import Recorder
from video_tcav.recording.rows import RowStore, SpillSpace, parse_bytes
from video_tcav.tcav.comparison import Comparison


@dataclass(frozen=True, kw_only=True)
class SavedCav:
    """One CAV and what is needed to read it.

    Attributes:
        concept: its name.
        versus: what it was learned against.
        layer: dotted module name.
        space: feature space.
        vector: unit vector, pointing towards the concept.
        concept_mean: where the average concept clip projects on it.
        random_mean: where the average random clip does.
        weights_digest: of the model that it belongs to.
        accuracy: cross-validated balanced accuracy.
    """

    concept: str
    versus: str
    layer: str
    space: Space
    vector: Float[Tensor, " feature"]
    concept_mean: float
    random_mean: float
    weights_digest: str
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class ClipScore:
    """How much of one concept is in one clip.

    Attributes:
        path: the video, and its segment if it is one.
        window: which clip of the video.
        layer: dotted module name.
        concept: its name.
        versus: what its CAV was learned against.
        presence: 0 for the average random clip, 1 for the average concept clip; NaN where the layer did not tell them apart.
        directional_derivative: in target units per unit of activation; `None` without a target.
    """

    path: str
    window: int
    layer: str
    concept: str
    versus: str
    presence: float
    directional_derivative: float | None = None


@dataclass(frozen=True, kw_only=True)
class ClipScores:
    """Scores of all clips that could be used, and why other files could not."""

    scores: tuple[ClipScore, ...]
    skipped: tuple[Skipped, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a score; `directional_derivative` is a column where there was a target."""
        frame = pd.DataFrame([asdict(one) for one in self.scores])
        with_target = self.scores[0].directional_derivative is not None
        return frame if with_target else frame.drop(columns="directional_derivative")


def cavs_of(
    recorder: Recorder,
    comparisons: Sequence[Comparison],
    grams: Mapping[str, Gram],
    kind: CavKind,
    accuracy: Mapping[tuple[str, str, str], float],
) -> list[SavedCav]:
    """The CAV of each comparison at each layer (not those of the twins), back in activation space.

    Args:
        recorder: holds the activations.
        comparisons: which clips stand for a concept, which for its negatives.
        grams: of each layer.
        kind: how a CAV is learned.
        accuracy: of each CAV, by concept, what it was compared with, and layer.
    """
    return [
        cav for layer, gram in grams.items() for cav in _cavs_at(recorder, comparisons, layer, gram, kind, accuracy)
    ]


def _cavs_at(
    recorder: Recorder,
    comparisons: Sequence[Comparison],
    layer: str,
    gram: Gram,
    kind: CavKind,
    accuracy: Mapping[tuple[str, str, str], float],
) -> Iterator[SavedCav]:
    store = recorder.whole_rows(layer)
    coefficients = np.zeros((len(comparisons) + 1, store.rows))
    coefficients[-1] = 1 / store.rows  # the origin of Gram space
    for index, one in enumerate(comparisons):
        rows = one.rows["none"]
        kernel = kernel_of(gram.kernel, rows)
        coefficients[index, rows] = unit_coefficients(kernel, fit_cavs(kind, kernel, one.design.labels[None]))[0]
    vectors = combine_rows(store, range(store.rows), coefficients)
    offsets = (vectors[:-1].double() @ vectors[-1].double()).tolist()
    for index, one in enumerate(comparisons):
        labels = one.design.labels
        projected = (coefficients[index : index + 1] @ gram.kernel)[0, one.rows["none"]] + offsets[index]
        yield SavedCav(
            concept=one.concept,
            versus=one.versus,
            layer=layer,
            space=recorder.space,
            vector=vectors[index].contiguous(),
            concept_mean=float(projected[labels].mean()),
            random_mean=float(projected[~labels].mean()),
            weights_digest=recorder.model.weights_digest,
            accuracy=accuracy[one.concept, one.versus, layer],
        )


def score_clips(
    model: VideoModel,
    cavs: Sequence[SavedCav],
    clips: Sources,
    *,
    target: str | int | None = None,
    against: str = "log_odds",
    windows: int = 1,
    memory: str | int = "2GB",
    strict: bool = False,
    progress: bool = False,
) -> ClipScores:
    """How much of each concept is in each clip and, for a target, how much more of it would raise the target.

    Args:
        model: the model that the CAVs were learned on.
        cavs: from `load_cavs`.
        clips: any clips.
        target: class whose directional derivative is wanted, by name or number.
        against: as in `run_tcav`.
        windows: clips taken from each video.
        memory: budget for activations and gradients.
        strict: whether a file that cannot be used ends the run instead of being listed.
        progress: whether to show a progress bar.

    Returns:
        One score for each CAV and clip, and the files that could not be used.

    Raises:
        ModelError: if the CAVs were learned on other weights.
        InputError: if there is no CAV, they are of several feature spaces, or no clip can be used.
        MediaError: for a file that cannot be used, if `strict`.
    """
    _check_cavs(cavs, model)
    scalar = None if target is None else parse_target(model, target, against)
    sources = as_sources(clips)
    layers = tuple(dict.fromkeys(cav.layer for cav in cavs))
    passes = len(sources) * (1 if scalar is None else 2)
    with scratch_folder() as spill:
        storage = SpillSpace(parse_bytes(memory), spill)
        recorder = Recorder(
            model=model, layers=layers, space=cavs[0].space, storage=storage, windows=windows, strict=strict
        )
        with progress_bar("model passes (videos)", passes, visible=progress) as advance:
            recorder.record_concepts(sources, ("none",), advance)
            if scalar is not None:
                recorder.record_class(sources, scalar, advance)
        if not recorder.rows:
            skipped = recorder.skipped
            raise InputError(
                f"`clips` must hold a file that can be used. Got {len(skipped)} that cannot, the first: {skipped[0].path}: "
                f"{skipped[0].reason}. Give other files."
            )
        scores = tuple(one for cav in cavs for one in _scored(recorder, cav, scalar is not None))
    return ClipScores(scores=scores, skipped=tuple(recorder.skipped))


def _check_cavs(cavs: Sequence[SavedCav], model: VideoModel) -> None:
    """Refuse CAVs that cannot be used together, or not with this model."""
    if not cavs:
        raise InputError("`cavs` must hold at least one CAV. Got none. Load them with load_cavs.")
    for cav in cavs:
        if cav.weights_digest != model.weights_digest:
            raise ModelError(
                f"`cavs` must be learned on this model. Got CAVs of other weights: {_place(cav)}. "
                "Load the model they were learned on."
            )
        if cav.space != cavs[0].space:
            raise InputError(
                f"`cavs` must be of one feature space. Got {cavs[0].space} ({_place(cavs[0])}) and {cav.space} ({_place(cav)}). "
                "Score the CAVs of each space by themselves."
            )


def _place(cav: SavedCav) -> str:
    return f"{cav.concept} vs {cav.versus} at {cav.layer}"


def _scored(recorder: Recorder, cav: SavedCav, with_target: bool) -> list[ClipScore]:
    projected = _project(recorder.whole_rows(cav.layer), recorder.rows, cav)
    derivative = _project(recorder.gradients[cav.layer], recorder.class_rows, cav) if with_target else {}
    span = cav.concept_mean - cav.random_mean
    return [
        ClipScore(
            path=clip.source,
            window=clip.window,
            layer=cav.layer,
            concept=cav.concept,
            versus=cav.versus,
            presence=(value - cav.random_mean) / span if span else math.nan,
            directional_derivative=derivative.get(clip),
        )
        for clip, value in projected.items()
    ]


def _project(store: RowStore, rows: Mapping[ClipId, int], cav: SavedCav) -> dict[ClipId, float]:
    vector = cav.vector
    if len(vector) != store.width:
        raise ShapeError(
            f"`cavs` must fit the clips. Got {len(vector)} values ({_place(cav)}) and clips that give {store.width}. "
            "Load the model with the --frames and --size of the run that saved them."
        )
    used = list(rows.values())
    columns = block_columns(len(used), store, BLOCK_BYTES)
    total, start = torch.zeros(len(used), dtype=torch.float64), 0
    for block in store.column_blocks(used, columns):
        total += (block @ vector[start : start + block.shape[1]].to(block.dtype)).double()
        start += block.shape[1]
    return dict(zip(rows, total.tolist(), strict=True))
