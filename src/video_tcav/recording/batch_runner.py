"""Batches of prepared clips through a model: rows of activations or gradients at each layer, in one feature space."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import AxesError
from video_tcav.models import LayerAxes, VideoModel, layer_axes
from video_tcav.models.hooks import (
    LayerTrace,
    check_finite,
    record_activations,
    record_gradients,
    trace_layers,
    untouched,
)
from video_tcav.models.targets import Target
from video_tcav.recording.class_answers import ClassAnswer, class_answers
from video_tcav.recording.fast.fast_paths import FastPaths, OptimisedPass, choose_fast_paths
from video_tcav.recording.fast.precision import Precision, choose_precision
from video_tcav.recording.feature_spaces import to_space
from video_tcav.recording.rows import stored_values
from video_tcav.recording.settings import AskedPrecision, Space


def native_name(layer: str) -> str:
    """The name under which a layer's whole output stands beside its gradient, in no feature space."""
    return f"{layer} output"  # no dotted name has a space


class BatchRunner:
    """Passes batches; what the first clip shows about the layers is kept.

    Args:
        whole: layers whose whole output is recorded beside their gradients, and beside their activations where asked for.
        shared_fact: keeps a decision that all runs on one activation store must share; `None` without a store.

    Attributes:
        precision: as it was chosen.
    """

    def __init__(
        self,
        model: VideoModel,
        layers: tuple[str, ...],
        *,
        whole: Sequence[str] = (),
        space: Space = "flatten",
        precision: AskedPrecision = "float32",
        shared_fact: Callable[..., Any] | None = None,
    ) -> None:
        self.model, self.layers, self.whole = model, layers, tuple(whole)
        self.space: Space = space
        self.precision: Precision = choose_precision(model, precision)
        self._shared_fact = shared_fact
        self._trace: LayerTrace | None = None
        self._passing: OptimisedPass | None = None
        self._axes: dict[str, LayerAxes | None] = {}

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]] | None:
        """Each layer's output for one clip; `None` before the first pass."""
        return None if self._trace is None else self._trace.shapes

    def batch_size(self, prepared: Tensor) -> int:
        """Clips like this one that are passed at once."""
        return self._traced(prepared[None].to(self.model.device)).batch

    def run(
        self, inputs: Sequence[Tensor], target: Target | None, *, outputs: bool = False
    ) -> tuple[dict[str, Tensor], list[ClassAnswer] | None]:
        """One batch, filled up to the constant size, so that a clip's numbers do not depend on its neighbours, to the last bit.

        Args:
            inputs: prepared clips of one size, a batch of them at most.
            target: whose gradient is recorded, beside what the model says of each clip; `None` records activations.
            outputs: whether whole outputs are recorded beside activations; beside gradients they always are.
        """
        passing = self.passing(inputs[0])
        batch = passing.batch(self._filled_up(inputs))
        with passing.running():
            if target is None:
                recorded = record_activations(self.model, self.layers, batch, last=self._traced(batch).layers[-1])
                native = {native_name(layer): recorded[layer] for layer in self.whole} if outputs else {}
                answers = None
            else:
                gradients = record_gradients(self.model, self.layers, batch, target)
                recorded = gradients.layers
                native = {native_name(layer): gradients.activations[layer] for layer in self.whole}
                answers = class_answers(gradients.logits, gradients.target, target)[: len(inputs)]
            rows = {
                layer: to_space(recorded[layer], self._axes[layer], self.space, gradient=target is not None)
                for layer in self.layers
            }
            # frames that a layer folds into its first axis lie behind each other, clip by clip
            rows |= {name: values.reshape(len(batch), -1) for name, values in native.items()}
        return {name: stored_values(values[: len(inputs)]) for name, values in rows.items()}, answers

    def logits(self, inputs: Sequence[Tensor]) -> Float[Tensor, "clip class"]:
        """Logits of one batch alone, filled up likewise, in float32 at least.

        Args:
            inputs: prepared clips of one size, a batch of them at most.

        Raises:
            NonFiniteError: if the model gives NaN or infinity.
        """
        passing = self.passing(inputs[0])
        batch = passing.batch(self._filled_up(inputs))
        with passing.running(), untouched(self.model.module), torch.no_grad():
            logits = self.model.logits(batch)[: len(inputs)]
        logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
        return check_finite(logits.cpu(), "the logits")

    def passing(self, prepared: Tensor) -> OptimisedPass:
        """How clips like this one are passed; the first call decides it."""
        if self._passing is None:
            trace = self._traced(prepared[None].to(self.model.device))
            self._passing = OptimisedPass(self.model, self._optimisations(trace), precision=self.precision)
        return self._passing

    def _filled_up(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        return [*inputs, *[inputs[-1]] * (self.batch_size(inputs[0]) - len(inputs))]

    def _optimisations(self, trace: LayerTrace) -> FastPaths:
        decide = partial(choose_fast_paths, self.model, trace.inputs, trace.logits)
        if self._shared_fact is None:
            return decide()
        # runs that share a store must decide alike, whichever clip each of them passes first
        return FastPaths(**self._shared_fact("fast paths", list(trace.inputs.shape), make=lambda: asdict(decide())))

    def _traced(self, inputs: Tensor) -> LayerTrace:
        if self._trace is None:
            self._trace = trace_layers(self.model, self.layers, inputs[:1])
            self._axes = {
                layer: space_axes(self.model, layer, self._trace.shapes[layer], self.space) for layer in self.layers
            }
        return self._trace


def space_axes(model: VideoModel, layer: str, shape: tuple[int, ...], space: Space) -> LayerAxes | None:
    """The axes that a feature space needs at a layer whose output for one clip is of this shape; `None` where it needs none.

    Raises:
        AxesError: for a layer without positions, in a space that averages over them.
    """
    if space == "flatten" and shape[0] == 1:
        return None
    axes = layer_axes(model, layer)
    if space != "flatten" and not axes.has_positions:
        raise AxesError(
            f"`space` must be flatten at a layer without time and place. Got {space} at {layer} with axes "
            f"({', '.join(axes.dims)}). Use --space flatten or another layer."
        )
    return axes
