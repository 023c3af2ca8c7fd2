"""The tail of a network: from a layer's output to the logits, without running what comes before the layer.

Whatever has returned before the layer runs is replaced by a stand-in: a module that returns values of the right shapes, all of
them NaN. Where the rest of the network reads any of them, as behind a skip connection that passes the layer by, NaN reaches the
logits; then the whole network runs, and only the layer's output is replaced.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from video_tcav.core.errors import LayerNotFoundError, ModelError, NonFiniteError, ShapeError
from video_tcav.models.hooks import hooked, replaced_forwards, untouched
from video_tcav.models.layers import noise_clip
from video_tcav.models.outputs import layer_tensor, map_tensors, replace_layer_tensor, tensors_in
from video_tcav.models.video_model import VideoModel

_TRACED = (1, 2)
"""Clips in the traced batches: what differs between the two is the axis of clips."""


class Tail:
    """The rest of a network behind one layer.

    Args:
        model: the network; it is left as it came.
        layer: dotted name of the layer.
        inputs: two prepared clips to try it on; noise if not given.

    Attributes:
        shape: of the layer's output for one clip; the first axis is 1 unless the layer folds frames into it.
        needs_inputs: whether the part before the layer is run again, and `logits` wants the clips as well.

    Raises:
        LayerNotFoundError: for a layer that does not run.
        ModelError: for one whose output cannot be replaced: it runs twice, or hands on more than one tensor.
    """

    def __init__(self, model: VideoModel, layer: str, *, inputs: Float[Tensor, "two ..."] | None = None) -> None:
        self.model, self.layer = model, layer
        if inputs is None:
            inputs = torch.cat([noise_clip(model, seed=seed) for seed in range(_TRACED[-1])])
        inputs = inputs.to(device=model.device, dtype=model.dtype)
        traces = [_trace(model, layer, inputs[:clips]) for clips in _TRACED]
        single, double = traces
        self._input_shape = tuple(inputs.shape[1:])
        self._stand_ins = _stand_ins(single, double)
        self.shape = tuple(layer_tensor(single.output).shape)
        self._output = _Sized(single.output, double.output)
        self._clips = 0
        self._replacement: Any = None
        self.needs_inputs = False
        if not self._gives(double, inputs):
            self.needs_inputs = True
            if not self._gives(double, inputs):
                raise ModelError(
                    f"`layer` must hand on one tensor that can be replaced. Got {layer}, of which the network uses more. "
                    "Choose the module around it, or one behind it."
                )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Inside, `logits` may be called; outside, the network is as it came."""
        with untouched(self.model.module), ExitStack() as stack:
            if self.needs_inputs:
                stack.enter_context(hooked(self.model, [self.layer], self._replace))
            else:
                layer = self.model.layer(self.layer)
                forwards = [(layer, lambda *_args, **_keywords: self._replacement)]
                forwards += [(stand_in.module, stand_in.forward(self._batch)) for stand_in in self._stand_ins]
                stack.enter_context(replaced_forwards(forwards))
            yield

    def logits(
        self, activation: Float[Tensor, "row ..."], inputs: Float[Tensor, "clip ..."] | None = None
    ) -> Float[Tensor, "clip class"]:
        """Logits of clips whose activation at the layer is this one; inside `running`. Gradients flow where they are enabled.

        Args:
            activation: the layer's output of some clips, one behind the other, as the layer returns it.
            inputs: the prepared clips, where `needs_inputs`.
        """
        clips, rest = divmod(len(activation), self.shape[0])
        if rest or tuple(activation.shape[1:]) != self.shape[1:]:
            raise ShapeError(
                f"`activation` must be of the layer's shape {self.shape} a clip. Got {tuple(activation.shape)}. "
                "Record it at the same layer and clip size."
            )
        activation = activation.to(device=self.model.device, dtype=self.model.dtype)
        # a copy: later in-place operations would change the caller's
        self._clips = clips
        self._replacement = replace_layer_tensor(self._output.of(clips), activation.clone())
        for stand_in in self._stand_ins:
            stand_in.calls = 0
        if self.needs_inputs:
            if inputs is None:
                raise ModelError(
                    f"`inputs` must be given at {self.layer}, which the network passes by. Got none. Give the prepared clips."
                )
        else:
            inputs = torch.zeros(1, dtype=self.model.dtype, device=self.model.device)
            inputs = inputs.expand(clips, *self._input_shape)
        logits = self.model.logits(inputs)
        return logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits

    def _batch(self) -> int:
        return self._clips

    def _replace(self, _name: str, _output: Any) -> Any:
        return self._replacement

    def _gives(self, trace: "_Trace", inputs: Tensor) -> bool:
        """Whether the recorded output, put back, gives the recorded logits."""
        with self.running(), torch.no_grad():
            try:
                logits = self.logits(layer_tensor(trace.output), inputs)
            except (RuntimeError, ValueError, TypeError, LookupError, ModelError, NonFiniteError):
                return False  # the network looks at values or types of what stands in
        return torch.equal(logits, trace.logits) or bool(
            # other kernels for other strides may round otherwise
            torch.allclose(logits, trace.logits, rtol=1e-4, atol=1e-4 * float(trace.logits.abs().max()))
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Call:
    """A call of a module that had returned before the layer ran, and was no part of another such call."""

    module: nn.Module
    output: Any


@dataclass(kw_only=True, eq=False)
class _Trace:
    """One forward: what was called before the layer, and what the layer and the network returned."""

    calls: list[_Call] = field(default_factory=list)
    output: Any = None
    logits: Tensor = field(default_factory=lambda: torch.empty(0))


def _trace(model: VideoModel, layer: str, inputs: Float[Tensor, "clip ..."]) -> _Trace:
    target, trace, runs = model.layer(layer), _Trace(), 0
    open_calls: list[list[_Call]] = [[]]  # for each module that is running: what returned inside it

    def enter(module: nn.Module, _inputs: Any) -> None:
        nonlocal runs
        if module is target:
            runs += 1
            if runs == 1:
                trace.calls = [call for calls in open_calls for call in calls]
        open_calls.append([])

    def leave(module: nn.Module, _inputs: Any, output: Any) -> None:
        open_calls.pop()
        open_calls[-1].append(_Call(module=module, output=output))
        if module is target:
            # later in-place operations change the original
            trace.output = map_tensors(output, lambda tensor: tensor.detach().clone())

    with untouched(model.module), torch.no_grad(), ExitStack() as handles:
        for module in model.module.modules():
            handles.enter_context(module.register_forward_pre_hook(enter))
            handles.enter_context(module.register_forward_hook(leave))
        trace.logits = model.logits(inputs)
    if runs != 1:
        error = LayerNotFoundError if runs == 0 else ModelError
        problem = "does not run" if runs == 0 else "runs twice"
        raise error(f"`layer` must run once in a forward. Got {layer}, which {problem}. Choose another.")
    return trace


class _Sized:
    """An output for any number of clips: floating values are NaN, all else is as it was for the traced clips."""

    def __init__(self, single: Any, double: Any) -> None:
        shapes = [tuple(tensor.shape) for tensor in tensors_in(single)]
        templates = iter(shapes)

        def template(tensor: Tensor) -> Tensor:
            # shapes alone of what grows with the clips: the values would take the memory of a whole pass
            grows = next(templates) != tuple(tensor.shape) and tensor.is_floating_point()
            return tensor.to("meta") if grows else tensor.detach().clone()

        self._shapes, self._template = shapes, map_tensors(double, template)
        self._device = next((tensor.device for tensor in tensors_in(double)), torch.device("cpu"))
        self._made: dict[int, Any] = {}

    def of(self, clips: int) -> Any:
        """The output for so many clips; the same object each time, which the network may not change."""
        if clips not in self._made:
            self._made = {clips: self._make(clips)}  # batches are of one size, but for the last
        return self._made[clips]

    def _make(self, clips: int) -> Any:
        shapes = iter(self._shapes)

        def resized(tensor: Tensor) -> Tensor:
            single, double = next(shapes), tuple(tensor.shape)
            growing = [dim for dim, (one, two) in enumerate(zip(single, double, strict=True)) if one != two]
            if tensor.is_meta:
                shape = [one + (clips - 1) * (two - one) for one, two in zip(single, double, strict=True)]
                # a view of one number, which takes no memory; writing into it raises
                return torch.full((), float("nan"), dtype=tensor.dtype, device=self._device).expand(shape)
            for dim in growing:  # the first clip's values, for all of them
                tensor = torch.cat([tensor.narrow(dim, 0, single[dim])] * clips, dim)
            return tensor

        return map_tensors(self._template, resized)


@dataclass(kw_only=True, eq=False)
class _StandIn:
    """A module whose first calls return what is never read, and whose later ones run."""

    module: nn.Module
    outputs: Sequence[_Sized]
    calls: int = 0

    def forward(self, clips: Callable[[], int]) -> Callable[..., Any]:
        """The forward that stands in for the module's."""
        original = self.module.forward

        def stand_in(*arguments: Any, **keywords: Any) -> Any:
            self.calls += 1
            if self.calls > len(self.outputs):
                return original(*arguments, **keywords)
            return self.outputs[self.calls - 1].of(clips())

        return stand_in


def _stand_ins(single: _Trace, double: _Trace) -> list[_StandIn]:
    """Of each module before the layer; none where one clip and two take other ways through the network."""
    modules = [call.module for call in single.calls]
    if modules != [call.module for call in double.calls]:
        return []
    counts = Counter(modules)
    return [
        _StandIn(
            module=module,
            outputs=[
                _Sized(one.output, two.output)
                for one, two in zip(single.calls, double.calls, strict=True)
                if one.module is module
            ],
        )
        for module in counts
    ]
