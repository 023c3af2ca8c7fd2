"""Real clips: what an edit of the clips does to a model, beside what each estimator says of the edit at each layer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
from benchmarks.interventions.edited_clips import Edit, RealClips, prepared
from benchmarks.interventions.layer_clips import Place
from jaxtyping import Float, Int
from scipy import stats
from torch import Tensor

from video_tcav.core import random_streams
from video_tcav.core.scratch import scratch_folder
from video_tcav.gram.arrays import make_design
from video_tcav.gram.cavs.registry import cav_fitter
from video_tcav.gram.gram import Gram
from video_tcav.gram.resampling import bootstrap_effects, percentile_interval
from video_tcav.models import VideoModel
from video_tcav.models.hooks import record_activations
from video_tcav.models.tail import Tail
from video_tcav.models.targets import Target, parse_target
from video_tcav.recording.batch_runner import space_axes
from video_tcav.recording.feature_spaces import to_space
from video_tcav.recording.inner_products import gram, row_products
from video_tcav.recording.rows import RowStore, SpillSpace
from video_tcav.recording.settings import Space
from video_tcav.tcav.interventions.directions import LayerRows
from video_tcav.tcav.interventions.operations import CLAMP, RESTORE, STEP
from video_tcav.tcav.settings import At

SPACES: tuple[Space, ...] = get_args(Space)
PLAIN = "plain"
_MEMORY_BYTES = 2 * 10**9
_BATCH = 8
_BOOTSTRAPS = 299


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval."""

    effect: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class EditRow:
    """One edit, in log-odds of one class.

    Attributes:
        target: the class.
        at: which clips were edited, and estimates taken at: of the class, or of all classes.
        layer: dotted module name.
        space: feature space of the CAV.
        edit: its name; the concept clips of the CAV are the edited clips, the random clips are the same clips before.
        truth: the change of the target when the clips themselves are edited.
        estimates: of it, by name; `restore` is the share of the change that the CAV's coordinate alone gives back.
    """

    target: str
    at: At
    layer: str
    space: Space
    edit: str
    truth: Estimate
    estimates: Mapping[str, Estimate]

    def row(self) -> dict[str, object]:
        """Of a table."""
        named = {"truth": self.truth, **self.estimates}
        columns = {
            column: value
            for name, each in named.items()
            for column, value in ((name, each.effect), (f"{name}_low", each.low), (f"{name}_high", each.high))
        }
        place = {"target": self.target, "at": self.at, "layer": self.layer, "space": self.space, "edit": self.edit}
        return {**place, **columns}


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordedClips:
    """What a model makes of clips, by version: the name of the edit, or `plain`.

    Attributes:
        groups: number of each clip's group.
        outputs: of each layer.
        logits: of the model.
    """

    groups: Sequence[int]
    outputs: Mapping[str, Mapping[str, Float[Tensor, "clip ..."]]]
    logits: Mapping[str, Float[Tensor, "clip class"]]


def record(model: VideoModel, clips: RealClips, edits: Mapping[str, Edit]) -> RecordedClips:
    """Pass the clips as they are, and after every edit."""
    layers = model.default_layers
    outputs: dict[str, dict[str, Tensor]] = {layer: {} for layer in layers}
    logits, tail = {}, Tail(model, layers[-1])
    for name, edit in {PLAIN: lambda clip, _background: clip, **edits}.items():
        inputs = list(clips.prepared(model, edit))
        batches = [
            record_activations(model, layers, torch.stack(inputs[start : start + _BATCH]), last=layers[-1])
            for start in range(0, len(inputs), _BATCH)
        ]
        for layer in layers:
            outputs[layer][name] = torch.cat([batch[layer] for batch in batches])
        with tail.running(), torch.no_grad():
            logits[name] = tail.logits(outputs[layers[-1]][name])
    return RecordedClips(groups=clips.groups, outputs=outputs, logits=logits)


def places(
    model: VideoModel, clips: RealClips, target: str, *, count: int, seed: int
) -> dict[At, Int[np.ndarray, " clip"]]:
    """Clips of a class that the model gets right, and clips of all classes; few of each, drawn at random."""
    generator = np.random.default_rng([seed, random_streams.REAL_CONCEPTS])
    order = generator.permutation(len(clips.labels))
    index, right = model.class_index(target), []
    for clip in order:
        if clips.labels[clip] == target and len(right) < count:
            with torch.no_grad():
                predicted = model.logits(prepared(model, clips.frames[clip])[None]).argmax()
            if int(predicted) == index:
                right.append(clip)
    return {"class": np.sort(right), "random": np.sort(order[:count])}


def edit_rows(
    model: VideoModel, recorded: RecordedClips, target: str, at: At, *, layer: str, spaces: Sequence[Space]
) -> Iterator[EditRow]:
    """Every edit at one layer, in several spaces."""
    scalar, tail = parse_target(model, target, "log_odds"), Tail(model, layer)
    truths = {name: _truth(recorded, scalar, name) for name in recorded.logits if name != PLAIN}
    for space in spaces:
        with scratch_folder() as spill:
            place = _place(model, recorded, tail, scalar, space, SpillSpace(_MEMORY_BYTES, spill))
            estimator = _Estimator(place, recorded, layer)
            for edit, truth in truths.items():
                estimates = estimator.estimates(edit)
                yield EditRow(
                    target=target, at=at, layer=layer, space=space, edit=edit, truth=truth, estimates=estimates
                )


def _truth(recorded: RecordedClips, target: Target, edit: str) -> Estimate:
    """The mean change of the target, with a t-interval over groups."""
    change = (target(recorded.logits[edit]) - target(recorded.logits[PLAIN])).double().numpy()
    groups = np.asarray(recorded.groups)
    means = [change[groups == group].mean() for group in np.unique(groups)]
    margin = float(stats.sem(means) * stats.t.ppf(0.975, len(means) - 1))
    return Estimate(effect=float(change.mean()), low=float(change.mean()) - margin, high=float(change.mean()) + margin)


def _place(
    model: VideoModel, recorded: RecordedClips, tail: Tail, target: Target, space: Space, spill: SpillSpace
) -> Place:
    axes = space_axes(model, tail.layer, tail.shape, space)
    store = RowStore(spill)
    for values in recorded.outputs[tail.layer].values():
        store.append(to_space(values, axes, space))
    kernel = gram(store, None, range(store.rows)).kernel
    return Place(tail=tail, target=target, rows=LayerRows.of(store), kernel=kernel, axes=axes, space=space)


class _Estimator:
    """All estimates of edits at one layer, in one feature space."""

    def __init__(self, place: Place, recorded: RecordedClips, layer: str) -> None:
        self._place, self._outputs, self._groups = place, recorded.outputs[layer], recorded.groups
        self._clips = place.clips(self._outputs[PLAIN], self._groups)
        self._cross = self._gradient_products()

    def estimates(self, edit: str) -> dict[str, Estimate]:
        """By name."""
        concept, random = self._rows(edit), self._rows(PLAIN)
        estimates = {"slope": self._slope(concept, random)}
        groups = [*self._groups, *self._groups]
        with self._clips.rerun.running():
            twins = self._place.clips(self._outputs[edit], self._groups, clean=self._clips)
            for operations, clips in (((STEP, CLAMP), self._clips), ((RESTORE,), twins)):
                edits = self._place.edits(clips, concept, random, bootstraps=_BOOTSTRAPS, groups=groups)
                for operation in operations:
                    draws = edits.draws(operation)
                    low, high = draws.interval
                    estimates[operation.name] = Estimate(effect=draws.effect, low=low, high=high)
        return estimates

    def _rows(self, version: str) -> Int[np.ndarray, " row"]:
        first = list(self._outputs).index(version) * len(self._groups)
        return np.arange(first, first + len(self._groups))

    def _gradient_products(self) -> Float[np.ndarray, "clip row"]:
        """Inner products of the gradients at the clips as they are with all rows."""
        rerun, store = self._clips.rerun, self._place.rows.store
        chunks = []
        with rerun.running():
            for clips in rerun.chunks():
                gradients = rerun.with_gradients(np.zeros(len(clips)), torch.zeros(1, store.width), clips).gradients
                chunks.append(row_products(store, range(store.rows), gradients).T)
        return np.concatenate(chunks)

    def _slope(self, concept: Int[np.ndarray, " row"], random: Int[np.ndarray, " row"]) -> Estimate:
        """The first-order effect, as `video-tcav test` computes it."""
        rows = np.concatenate([concept, random])
        design = make_design(np.arange(len(rows)) < len(concept), [*self._groups, *self._groups])
        drawn = Gram(kernel=self._place.kernel, cross=self._cross).of_rows(rows)
        resamples = bootstrap_effects(cav_fitter("mean"), {"": drawn}, design, self._groups, draws=_BOOTSTRAPS, seed=0)[
            ""
        ]
        low, high = percentile_interval(resamples.draws())
        return Estimate(effect=resamples.effect, low=low, high=high)
