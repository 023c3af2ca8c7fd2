"""Estimates at one layer of how the target changes when clips are exchanged: for edited ones, or those of their pairs."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from video_tcav.core.errors import ModelError
from video_tcav.gram.agreement import GroupedClips
from video_tcav.models.tail import Tail
from video_tcav.recording.batch_runner import space_axes
from video_tcav.recording.feature_spaces import to_space
from video_tcav.recording.settings import Space
from video_tcav.tcav.effect_check.estimate_plan import EstimatePlan
from video_tcav.tcav.effect_check.estimates import EditShift, Estimate, EstimateKey, EstimateSite, Place
from video_tcav.tcav.effect_check.passes import ClipPasses, LayerRows, PlainClips
from video_tcav.tcav.interventions.rerun import LayerRerun


class LayerEstimates:
    """All estimates at one layer.

    Args:
        layer: its dotted name.
        clip_sets: clips that estimates are taken at; the first of them are the ones that are exchanged.
        draws: of the groups of each.
        passes: that the clips went through.
        plan: how.

    Attributes:
        note: what could not be measured, and why; mostly empty.
    """

    def __init__(
        self,
        layer: str,
        clip_sets: Mapping[Place, PlainClips],
        draws: Mapping[Place, GroupedClips],
        passes: ClipPasses,
        plan: EstimatePlan,
    ) -> None:
        self._layer, self._plan, self._passes, self._draws = layer, plan, passes, draws
        shapes = passes.runner.shapes
        assert shapes is not None  # clips have been passed
        self._shape = shapes[layer]
        self._axes = {space: space_axes(passes.runner.model, layer, self._shape, space) for space in plan.spaces}
        self._before: Place = next(iter(clip_sets))
        before = clip_sets[self._before]
        self.note = ""
        self._tail = self._new_tail(before.inputs) if layer in plan.reruns else None
        self._plain = {space: self._features(before.outputs[layer], space) for space in plan.spaces}
        self._sites = {
            (space, at): EstimateSite(
                gradients=self._features(clips.gradients[layer], space, gradient=True),
                clips=draws[at],
                rerun=None if self._tail is None else self._rerun(self._tail, clips, space),
            )
            for space in plan.spaces
            for at, clips in clip_sets.items()
        }

    def estimates(
        self,
        outputs: LayerRows,
        gradients: LayerRows | None = None,
        *,
        chosen: Bool[np.ndarray, " clip"] | None = None,
    ) -> Iterator[tuple[EstimateKey, Estimate]]:
        """Every estimate of one exchange.

        Args:
            outputs: of the clips that take the place of the first set, in its order.
            gradients: at these, where the slope of each clip times its own shift is wanted, too.
            chosen: which of the first set they take the place of; all if not given.
        """
        clips = self._draws[self._before]
        for space in self._plan.spaces:
            after, plain = self._features(outputs[self._layer], space), self._plain[space]
            if chosen is None or chosen.all():
                shift = EditShift.of(plain, after, clips)
            else:
                shift = EditShift.of(plain[chosen], after, clips.subset(chosen))
            if gradients is not None:
                ends = (
                    self._sites[space, self._before].gradients,
                    self._features(gradients[self._layer], space, gradient=True),
                )
                for at, estimate in shift.paired(*ends).items():
                    yield EstimateKey(self._layer, space, at, "paired"), estimate
            for at in self._draws:
                for name, estimate in shift.estimates(self._sites[space, at]).items():
                    yield EstimateKey(self._layer, space, at, name), estimate

    def _new_tail(self, inputs: Sequence[Tensor]) -> Tail | None:
        passing = self._passes.runner.passing(inputs[0])
        try:
            with passing.running():
                return Tail(self._passes.runner.model, self._layer, inputs=passing.batch([*inputs, *inputs][:2]))
        except ModelError as error:  # slopes can be taken there all the same
            self.note = f"steps and clamps could not be checked at {self._layer}: {error}"
            return None

    def _rerun(self, tail: Tail, clips: PlainClips, space: Space) -> LayerRerun:
        first = slice(self._plan.most_rerun)
        outputs = clips.outputs[self._layer][first]
        return LayerRerun(
            tail,
            lambda chosen: outputs[chosen],
            clips=len(outputs),
            axes=self._axes[space],
            space=space,
            target=self._passes.target,
            passing=self._passes.runner.passing(clips.inputs[0]),
            inputs=clips.inputs[first] if tail.needs_inputs else None,
        )

    def _features(
        self, rows: Float[Tensor, "clip value"], space: Space, *, gradient: bool = False
    ) -> Float[Tensor, "clip feature"]:
        native = rows.reshape(len(rows) * self._shape[0], *self._shape[1:])
        return to_space(native, self._axes[space], space, gradient=gradient)
