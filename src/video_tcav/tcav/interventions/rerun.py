"""The target of class clips whose activation at a layer is edited: the rest of the network, run again in batches."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from video_tcav.models import LayerAxes
from video_tcav.models.hooks import BATCH_BYTES, LARGEST_BATCH
from video_tcav.models.tail import Tail
from video_tcav.models.targets import Target
from video_tcav.recording.class_answers import class_answers
from video_tcav.recording.fast.fast_paths import OptimisedPass
from video_tcav.recording.feature_spaces import from_space, to_space
from video_tcav.recording.settings import Space

_MOST_AT_ONCE = 256  # small tails of many clips: more bring nothing
_ROOM = 16  # a tail's own activations take about so many times the memory of its input


@dataclass(frozen=True, kw_only=True, eq=False)
class Reruns:
    """What came of running the rest of the network.

    Attributes:
        targets: the target of each clip.
        predicted: index of the class that the model then calls it; −1 for none.
        gradients: of the target by the clip's vector in the feature space; empty where they were not asked for.
    """

    targets: Float[np.ndarray, " clip"]
    predicted: Int[np.ndarray, " clip"]
    gradients: Float[Tensor, "clip feature"]


class LayerRerun:
    """Some clips at one layer, ready to be edited; use it inside `running`.

    Args:
        tail: the rest of the network.
        outputs: the layer's whole output for each clip, one row each.
        axes: of the layer, where the space needs them.
        space: the feature space that edits are made in.
        target: what is explained.
        passing: the fast paths that the run takes.
        inputs: the prepared clips, where the tail needs them.
    """

    def __init__(
        self,
        tail: Tail,
        outputs: Float[Tensor, "clip value"],
        *,
        axes: LayerAxes | None,
        space: Space,
        target: Target,
        passing: OptimisedPass,
        inputs: Sequence[Tensor] | None = None,
    ) -> None:
        self.tail, self.target, self.space = tail, target, space
        self._outputs, self._axes, self._passing, self._inputs = outputs, axes, passing, inputs
        self._batch = max(1, min(_MOST_AT_ONCE, BATCH_BYTES // (_ROOM * outputs[0].nbytes)))
        if tail.needs_inputs:
            self._batch = LARGEST_BATCH

    @property
    def clips(self) -> int:
        return len(self._outputs)

    @cached_property
    def features(self) -> Float[Tensor, "clip feature"]:
        """Each clip's vector in the feature space."""
        return to_space(self._native(slice(None)), self._axes, self.space)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Inside, clips may be run again; outside, the network is as it came."""
        with self._passing.running(), self.tail.running():
            yield

    def edited(
        self,
        shifts: Float[np.ndarray, " point"],
        vectors: Float[Tensor, "point feature"],
        clips: Int[np.ndarray, " point"],
    ) -> Reruns:
        """The target of clips, each moved by its shift along its vector; one vector may serve all."""
        return self._run(shifts, vectors, clips, gradients=False)

    def with_gradients(
        self,
        shifts: Float[np.ndarray, " point"],
        vectors: Float[Tensor, "point feature"],
        clips: Int[np.ndarray, " point"],
    ) -> Reruns:
        """Likewise, with the gradient at the edited activation."""
        return self._run(shifts, vectors, clips, gradients=True)

    def _native(self, rows: slice | Int[np.ndarray, " row"]) -> Tensor:
        outputs = self._outputs[rows]
        return outputs.reshape(len(outputs) * self.tail.shape[0], *self.tail.shape[1:])

    def _run(self, shifts: np.ndarray, vectors: Tensor, clips: np.ndarray, *, gradients: bool) -> Reruns:
        parts = []
        for start in range(0, len(clips), self._batch):
            batch = slice(start, start + self._batch)
            chosen = vectors[batch] if len(vectors) == len(clips) else vectors.expand(len(clips[batch]), -1)
            edits = torch.as_tensor(shifts[batch], dtype=chosen.dtype)[:, None] * chosen
            parts.append(self._run_batch(edits, clips[batch], gradients))
        targets, predicted, slopes = zip(*parts, strict=True)
        return Reruns(targets=np.concatenate(targets), predicted=np.concatenate(predicted), gradients=torch.cat(slopes))

    def _run_batch(
        self, edits: Float[Tensor, "clip feature"], clips: np.ndarray, gradients: bool
    ) -> tuple[np.ndarray, np.ndarray, Tensor]:
        native = self._native(clips)
        native = native + from_space(edits.to(native.dtype), self._axes, self.space, self.tail.shape)
        native = native.to(self.tail.model.device)
        inputs = None if self._inputs is None else torch.stack([self._inputs[clip] for clip in clips])
        with torch.set_grad_enabled(gradients):
            native.requires_grad_(gradients)
            logits = self.tail.logits(native, inputs)
            values = self.target(logits)
        slopes = torch.empty(len(clips), 0)
        if gradients:
            gradient = torch.autograd.grad(values.sum(), native)[0]
            slopes = to_space(gradient, self._axes, self.space, gradient=True).cpu()
        answers = class_answers(logits.detach(), values.detach(), self.target)
        predicted = [-1 if answer.predicted is None else answer.predicted for answer in answers]
        return values.detach().cpu().double().numpy(), np.asarray(predicted), slopes
