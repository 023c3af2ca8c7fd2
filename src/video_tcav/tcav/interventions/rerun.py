"""The target of class clips whose activation at a layer is edited: the rest of the network, run again in batches."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

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
_CHUNK_BYTES = 256 * 2**20
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

    @classmethod
    def joined(cls, parts: "Sequence[Reruns]") -> "Reruns":
        """Several, one behind the other."""
        return cls(
            targets=np.concatenate([part.targets for part in parts]),
            predicted=np.concatenate([part.predicted for part in parts]),
            gradients=torch.cat([part.gradients for part in parts]),
        )


class LayerRerun:
    """Some clips at one layer, ready to be edited; use it inside `running`.

    Args:
        tail: the rest of the network.
        outputs: reads the layer's whole output for some of the clips, one row each; they may not fit into memory together.
        clips: how many there are.
        axes: of the layer, where the space needs them.
        space: the feature space that edits are made in.
        target: what is explained.
        passing: the fast paths that the run takes.
        inputs: the prepared clips, where the tail needs them.
    """

    def __init__(
        self,
        tail: Tail,
        outputs: Callable[[Int[np.ndarray, " clip"]], Float[Tensor, "clip value"]],
        *,
        clips: int,
        axes: LayerAxes | None,
        space: Space,
        target: Target,
        passing: OptimisedPass,
        inputs: Sequence[Tensor] | None = None,
    ) -> None:
        self.tail, self.target, self.clips = tail, target, clips
        self._space: Space = space
        self._outputs, self._axes, self._passing, self._inputs = outputs, axes, passing, inputs
        clip_bytes = 4 * math.prod(tail.shape)
        self._batch = max(1, min(_MOST_AT_ONCE, BATCH_BYTES // (_ROOM * clip_bytes)))
        if tail.needs_inputs:
            self._batch = min(self._batch, LARGEST_BATCH)
        self._chunk = max(1, _CHUNK_BYTES // clip_bytes)

    def chunks(self) -> list[Int[np.ndarray, " clip"]]:
        """The clips in chunks of which memory holds outputs and gradients."""
        everyone = np.arange(self.clips)
        return [everyone[start : start + self._chunk] for start in range(0, self.clips, self._chunk)]

    def features(self, clips: Int[np.ndarray, " clip"]) -> Float[Tensor, "clip feature"]:
        """Vectors of some clips in the feature space."""
        return to_space(self._native(clips), self._axes, self._space)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Inside, clips may be run again; outside, the network is as it came."""
        with self._passing.running(), self.tail.running():
            yield

    def unedited(self, clips: Int[np.ndarray, " clip"]) -> Reruns:
        """The target of clips as they left the layer."""
        nowhere = torch.zeros_like(self.features(clips[:1]))
        return self.edited(np.zeros(len(clips)), nowhere, clips)

    def edited(
        self,
        shifts: Float[np.ndarray, " point"],
        vectors: Float[Tensor, "point feature"],
        clips: Int[np.ndarray, " point"],
    ) -> Reruns:
        """The target of clips, each moved by its shift along its vector; one vector may serve all."""
        return self._run(shifts, vectors, clips, gradients=False)

    def edited_along(self, shifts: Float[np.ndarray, "draw clip"], vectors: Float[Tensor, "draw feature"]) -> Reruns:
        """All clips moved along each of several vectors, one vector behind the other."""
        # a small rest of a network takes as long for a few clips as for many; of large ones no two vectors fit into memory
        together = max(1, self._batch // self.clips)
        parts = []
        for start in range(0, len(vectors), together):
            moved, along = shifts[start : start + together], vectors[start : start + together]
            if len(along) > 1:
                along = along.repeat_interleave(self.clips, 0)
            parts.append(self.edited(moved.ravel(), along, np.tile(np.arange(self.clips), len(moved))))
        return Reruns.joined(parts)

    def with_gradients(
        self,
        shifts: Float[np.ndarray, " point"],
        vectors: Float[Tensor, "point feature"],
        clips: Int[np.ndarray, " point"],
    ) -> Reruns:
        """Likewise, with the gradient at the edited activation."""
        return self._run(shifts, vectors, clips, gradients=True)

    def _native(self, clips: Int[np.ndarray, " clip"]) -> Tensor:
        outputs = self._outputs(clips)
        return outputs.reshape(len(outputs) * self.tail.shape[0], *self.tail.shape[1:])

    def _run(self, shifts: np.ndarray, vectors: Tensor, clips: np.ndarray, *, gradients: bool) -> Reruns:
        parts = []
        for start in range(0, len(clips), self._batch):
            batch = slice(start, start + self._batch)
            chosen = vectors[batch] if len(vectors) == len(clips) else vectors.expand(len(clips[batch]), -1)
            edits = torch.as_tensor(shifts[batch], dtype=chosen.dtype)[:, None] * chosen
            parts.append(self._run_batch(edits, clips[batch], gradients))
        return Reruns.joined(parts)

    def _run_batch(self, edits: Float[Tensor, "clip feature"], clips: np.ndarray, gradients: bool) -> Reruns:
        native = self._native(clips)
        native = native + from_space(edits.to(native.dtype), self._axes, self._space, self.tail.shape)
        native = native.to(self.tail.model.device)
        inputs = None if self._inputs is None else torch.stack([self._inputs[clip] for clip in clips])
        with torch.set_grad_enabled(gradients):
            native.requires_grad_(gradients)
            logits = self.tail.logits(native, inputs)
            values = self.target(logits)
        slopes = torch.empty(len(clips), 0)
        if gradients:
            gradient = torch.autograd.grad(values.sum(), native)[0]
            slopes = to_space(gradient, self._axes, self._space, gradient=True).cpu()
        answers = class_answers(logits.detach(), values.detach(), self.target)
        predicted = [-1 if answer.predicted is None else answer.predicted for answer in answers]
        return Reruns(targets=values.detach().cpu().double().numpy(), predicted=np.asarray(predicted), gradients=slopes)
