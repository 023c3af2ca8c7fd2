"""Meaningless concepts among real clips: both sets are groups of one pool, so that there is nothing to find."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from benchmarks.calibration.gate import gates_of
from benchmarks.calibration.outcomes import Outcome, outcomes
from torch import Tensor

from video_tcav.core import random_streams
from video_tcav.core.errors import InputError
from video_tcav.core.progress import progress_bar
from video_tcav.core.scratch import scratch_folder
from video_tcav.demo.false_alarms import seed_of
from video_tcav.gram.arrays import make_design
from video_tcav.gram.gram import Gram
from video_tcav.gram.representation import Representation
from video_tcav.gram.thresholds import LEVEL
from video_tcav.media import find_videos, load_clips
from video_tcav.media.grouping import grouping
from video_tcav.models import VideoModel, parse_target
from video_tcav.models.hooks import record_activations, record_gradients
from video_tcav.recording.inner_products import gram
from video_tcav.recording.rows import RowStore, SpillSpace

_BATCH = 4
_MEMORY_BYTES = 2 * 10**9
# A quarter of the groups stands for the concept: sets of unequal size, as most are.
_CONCEPT_SHARE = 0.25
_FEWEST_GROUPS = 12


@dataclass(frozen=True, kw_only=True)
class RealClipsRow:
    """False alarms at one layer.

    Attributes:
        layer: where.
        draws: splits of the groups.
        concept_groups: groups that stand for the concept.
        random_groups: all others.
        plain: share with a plain permutation p of at most 0.05.
        perm: of `p_perm`.
        t: of `p_t`.
        both: of the studentised test.
        represented: share in which the means are called different.
    """

    layer: str
    draws: int
    concept_groups: int
    random_groups: int
    plain: float
    perm: float
    t: float
    both: float
    represented: float


@dataclass(frozen=True, kw_only=True)
class RealRecording:
    """Inner products of real clips and of the gradients at clips of a class, by layer; and the group of each clip."""

    grams: dict[str, Gram]
    groups: tuple[str, ...]


def record_real_clips(
    model: VideoModel, target: str, clips: str, class_clips: str, *, group: str = "video", progress: bool = False
) -> RealRecording:
    """Record a model on real clips, one clip a video.

    Args:
        model: the model.
        target: class whose gradient is taken.
        clips: pool of clips without a concept, see `find_videos`.
        class_clips: clips of the class.
        group: what is independent, see `run_tcav`.
    """
    layers, scalar, group_of = model.default_layers, parse_target(model, target, "log_odds"), grouping(group)
    groups: list[str] = []
    with scratch_folder() as spill:
        space = SpillSpace(_MEMORY_BYTES, spill)
        activations, gradients = ({layer: RowStore(space) for layer in layers} for _ in range(2))
        for sources, stores in ((find_videos(clips), activations), (find_videos(class_clips), gradients)):
            batch: list[Tensor] = []
            with progress_bar("real clips", len(sources), visible=progress) as advance:
                for number, loaded in enumerate(load_clips(sources, model.clip_spec), 1):
                    advance(1)
                    if loaded.clips is not None:
                        batch.append(model.prepare(loaded.clips[0]))
                        if stores is activations:
                            groups.append(group_of(loaded.source))
                    if batch and (len(batch) == _BATCH or number == len(sources)):
                        inputs = torch.stack(batch)
                        recorded = (
                            record_activations(model, layers, inputs, last=layers[-1])
                            if stores is activations
                            else record_gradients(model, layers, inputs, scalar).layers
                        )
                        for layer, values in recorded.items():
                            stores[layer].append(values.flatten(1))
                        batch = []
        return RealRecording(
            grams={
                layer: gram(rows, gradients[layer], range(rows.rows), range(gradients[layer].rows))
                for layer, rows in activations.items()
            },
            groups=tuple(groups),
        )


def real_clips_table(recording: RealRecording, *, draws: int, seed: int = 0) -> tuple[RealClipsRow, ...]:
    """Split the groups again and again into a concept that means nothing and random clips.

    Raises:
        InputError: if there are fewer than twelve groups.
    """
    names, group_of = np.unique(recording.groups, return_inverse=True)
    if len(names) < _FEWEST_GROUPS:
        raise InputError(
            f"`clips` must come from at least {_FEWEST_GROUPS} groups. Got {len(names)}. Add clips of other videos, or name "
            "smaller groups with --group."
        )
    n_concept = round(_CONCEPT_SHARE * len(names))
    generator = np.random.default_rng([seed, random_streams.NULL_CONCEPTS])
    tested: dict[str, list[Outcome]] = {layer: [] for layer in recording.grams}
    gates: dict[str, list[Representation]] = {layer: [] for layer in recording.grams}
    for _ in range(draws):
        concept = generator.permutation(len(names))[:n_concept]
        design = make_design(np.isin(group_of, concept), group_of.tolist())
        seed_of_draw = seed_of(generator)
        n_class = len(next(iter(recording.grams.values())).cross)
        for layer, outcome in outcomes(recording.grams, design, range(n_class), seed=seed_of_draw).items():
            tested[layer].append(outcome)
        numbered = {number: each.kernel for number, each in enumerate(recording.grams.values())}
        for layer, gate in zip(recording.grams, gates_of(numbered, design, seed_of_draw), strict=True):
            gates[layer].append(gate)

    def rate(p_values: Sequence[float]) -> float:
        return float(np.mean(np.array(p_values) <= LEVEL))

    return tuple(
        RealClipsRow(
            layer=layer,
            draws=draws,
            concept_groups=n_concept,
            random_groups=len(names) - n_concept,
            plain=rate([outcome.p_plain for outcome in tested[layer]]),
            perm=rate([outcome.p_perm for outcome in tested[layer]]),
            t=rate([outcome.p_t for outcome in tested[layer]]),
            both=rate([outcome.p_value for outcome in tested[layer]]),
            represented=float(np.mean([gate.represented for gate in gates[layer]])),
        )
        for layer in recording.grams
    )
