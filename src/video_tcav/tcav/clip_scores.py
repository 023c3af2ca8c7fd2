"""Scores of clips by saved CAVs: how much of a concept is in them, and whether more of it would raise a class."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import pandas as pd
import torch
from torch import Tensor

from video_tcav.concepts import as_sources
from video_tcav.concepts.concept import Sources
from video_tcav.core.errors import InputError, ModelError, ShapeError
from video_tcav.core.logs import log_warnings
from video_tcav.core.progress import progress_bar
from video_tcav.core.settings import takes_settings
from video_tcav.media import Skipped
from video_tcav.media.digest import content_digests
from video_tcav.models import VideoModel
from video_tcav.models.targets import parse_target
from video_tcav.recording.clip_id import ClipId
from video_tcav.recording.inner_products import BLOCK_BYTES, block_columns
from video_tcav.recording.rows import Rows, RowStore
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.stream_sinks import ProjectedRows
from video_tcav.recording.workers import PassSpec
from video_tcav.recording.workspace import Workspace
from video_tcav.tcav.removed_concepts import ClipAnswers, answers_without
from video_tcav.tcav.saved_cavs import SavedCav
from video_tcav.tcav.wording import comparison_name


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
        target_as_is: the target of the clip; this and what follows is `None` unless `without` was asked for.
        target_without: the target with the coordinate of random clips along the CAV, so without the concept.
        predicted_as_is: the class that the model calls the clip; `None` also for a regression.
        predicted_without: likewise without the concept.
    """

    path: str
    window: int
    layer: str
    concept: str
    versus: str
    presence: float
    directional_derivative: float | None = None
    target_as_is: float | None = None
    target_without: float | None = None
    predicted_as_is: str | None = None
    predicted_without: str | None = None


@dataclass(frozen=True, kw_only=True)
class ClipScores:
    """Scores of all clips that could be used, and why other files could not."""

    scores: tuple[ClipScore, ...]
    skipped: tuple[Skipped, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a score; `directional_derivative` is a column where there was a target, what `without` adds where asked for."""
        frame = pd.DataFrame([asdict(score) for score in self.scores])
        first = self.scores[0]
        absent = [] if first.directional_derivative is not None else ["directional_derivative"]
        absent += [] if first.target_as_is is not None else ClipAnswers._fields
        return frame.drop(columns=absent)


@takes_settings(recording=RecordingSettings, leave_out=("space",))
def score_clips(
    model: VideoModel,
    cavs: Sequence[SavedCav],
    clips: Sources,
    *,
    target: str | int | None = None,
    against: str = "log_odds",
    without: bool = False,
    progress: bool = False,
    recording: RecordingSettings,
) -> ClipScores:
    """How much of each concept is in each clip and, for a target, how much more of it would raise the target.

    Args:
        model: the model that the CAVs were learned on.
        cavs: from `load_cavs`.
        clips: any clips.
        target: class whose directional derivative is wanted, by name or number.
        against: as in `run_tcav`.
        without: whether to say what each clip's target and first class would be without the concept: with the coordinate of the
            mean random clip along the CAV, and the rest of the network run again.
        progress: whether to show a progress bar.
        recording: how clips are passed; its fields are keywords of this function. With `sketch`, rows are projected on the CAVs
            as they come, exactly, and none is kept.

    Returns:
        One score for each CAV and clip, and the files that could not be used.

    Raises:
        ModelError: if the CAVs were learned on other weights, or `without` cannot be told at a layer.
        ShapeError: if the CAVs were learned from clips of another size.
        InputError: if there is no CAV, they are of several feature spaces, no clip can be used, or `without` has no target.
        MediaError: for a file that cannot be used, if `strict`.
    """
    _check_cavs(cavs, model)
    if without and target is None:
        raise InputError("`without` must go with a target. Got none. Give --target CLASS.")
    scalar = None if target is None else parse_target(model, target, against)
    sources = as_sources(clips)
    by_layer: dict[str, list[SavedCav]] = {}
    for cav in cavs:
        by_layer.setdefault(cav.layer, []).append(cav)
    settings = recording.with_values(space=cavs[0].space, sketch=None)
    streams = recording.sketch is not None
    with Workspace(settings, progress=progress) as work:
        sinks = _projections(by_layer) if streams else None
        gradient_sinks = _projections(by_layer) if streams else None
        digests = content_digests(sources, work.digest)
        recorder = work.recorder(
            model,
            tuple(by_layer),
            digests,
            sinks=sinks,
            gradient_sinks=gradient_sinks,
            whole=tuple(by_layer) if without else (),
        )
        work.fill(recorder, *(PassSpec(sources, ("none",), aim) for aim in dict.fromkeys((None, scalar))))
        passes = len(sources) * (1 if scalar is None else 2)
        with progress_bar("model passes (videos)", passes, visible=progress) as advance:
            recorder.record_concepts(sources, ("none",), advance)
            if scalar is not None:
                recorder.record_class(sources, scalar, advance)
        recorded = recorder.recording()
        if not recorded.rows:
            first = recorded.skipped[0]
            raise InputError(
                f"`clips` must hold a file that can be used. Got {len(recorded.skipped)} that cannot, the first: {first.path}: "
                f"{first.reason}. Give other files."
            )
        scores = []
        for layer, members in by_layer.items():
            presence = _projected(recorded.activations[layer], recorded.rows, members)
            gradients: Rows = recorded.gradients[layer] if gradient_sinks is None else gradient_sinks[layer]
            slopes = [{}] * len(members) if scalar is None else _projected(gradients, recorded.class_rows, members)
            answers: Sequence[Mapping[ClipId, ClipAnswers]] = [{}] * len(members)
            if without and scalar is not None:
                answers = answers_without(recorded, layer, members, sources, scalar, recorder.runner)
            scores += [_scored(*each) for each in zip(members, presence, slopes, answers, strict=True)]
    order = {id(cav): index for index, cav in enumerate(cavs)}
    scores.sort(key=lambda scored: order[id(scored[0])])
    log_warnings(map(str, recorded.skipped))
    return ClipScores(scores=tuple(score for _, rows in scores for score in rows), skipped=recorded.skipped)


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
    return f"{comparison_name(cav.concept, cav.versus)} at {cav.layer}"


def _projections(by_layer: Mapping[str, Sequence[SavedCav]]) -> dict[str, ProjectedRows]:
    return {layer: ProjectedRows(torch.stack([cav.vector for cav in cavs])) for layer, cavs in by_layer.items()}


def _scored(
    cav: SavedCav,
    presence: Mapping[ClipId, float],
    slopes: Mapping[ClipId, float],
    answers: Mapping[ClipId, ClipAnswers],
) -> tuple[SavedCav, list[ClipScore]]:
    span = cav.concept_mean - cav.random_mean
    return cav, [
        ClipScore(
            path=clip.source,
            window=clip.window,
            layer=cav.layer,
            concept=cav.concept,
            versus=cav.versus,
            presence=(value - cav.random_mean) / span if span else math.nan,
            directional_derivative=slopes.get(clip),
            **(answers[clip]._asdict() if clip in answers else {}),
        )
        for clip, value in presence.items()
    ]


def _projected(rows: Rows, index: Mapping[ClipId, int], cavs: Sequence[SavedCav]) -> list[dict[ClipId, float]]:
    """For each CAV of a layer, where each clip's row projects on it."""
    if isinstance(rows, ProjectedRows):
        projections = torch.tensor(rows.projections, dtype=torch.float64).T
    else:
        assert isinstance(rows, RowStore)
        projections = torch.stack([_project(rows, list(index.values()), cav) for cav in cavs])
    return [dict(zip(index, values.tolist(), strict=True)) for values in projections]


def _project(store: RowStore, rows: Sequence[int], cav: SavedCav) -> Tensor:
    vector = cav.vector
    if len(vector) != store.width:
        raise ShapeError(
            f"`cavs` must fit the clips. Got {len(vector)} values ({_place(cav)}) and clips that give {store.width}. "
            "Load the model with the --frames and --size of the run that saved them."
        )
    columns = block_columns(len(rows), store, BLOCK_BYTES)
    total, start = torch.zeros(len(rows), dtype=torch.float64), 0
    for block in store.column_blocks(rows, columns):
        total += (block @ vector[start : start + block.shape[1]].to(block.dtype)).double()
        start += block.shape[1]
    return total
