"""The tail of a network: from a layer's output to the logits, without computing what comes before the layer.

In the first forward, tensors without values go through the network up to the layer; there the given activation takes their
place. In further forwards of as many clips, the modules before the layer return at once what they returned in the first. No
logit can depend on a tensor without values: where it would, as behind a skip connection that passes the layer by, or where the
network branches on values before the layer, the whole network is run on the clips, and only the layer's output is replaced.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import LayerNotFoundError, ModelError, ShapeError, VideoTcavError
from video_tcav.models.error_lines import typed_first_line
from video_tcav.models.hooks import check_finite, hooked, replaced_forwards, untouched
from video_tcav.models.layers import noise_clip
from video_tcav.models.outputs import layer_tensor, map_tensors, replace_layer_tensor
from video_tcav.models.replay import Replay, copied, is_plain, unchanged_attributes
from video_tcav.models.unknown_tensors import UnknownTensor, UnknownValueError, unknown_recurrences
from video_tcav.models.video_model import VideoModel

_ROUNDINGS = 32  # of the largest logit: a clip alone takes other kernels than two
_SHARE = 0.01  # of the difference between two clips: rows of the wrong clip differ by all of it


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
            inputs = torch.cat([noise_clip(model, seed=seed) for seed in range(2)])
        inputs = inputs.to(device=model.device, dtype=model.dtype)
        output, logits = self._recorded(inputs)
        if output.ndim == 0 or len(output) % 2:
            raise self._error(f"whose output for two clips is of shape {tuple(output.shape)}")
        self.shape: tuple[int, ...] = (len(output) // 2, *output.shape[1:])
        self._clip_shape, self._dim_order = tuple(inputs.shape[1:]), output.dim_order()
        self._replaying: ExitStack | None = None  # of the context `running`
        self._replay: Replay | None = None
        self._activation: Tensor | None = None
        self.needs_inputs = False
        try:
            self._check(output, logits, inputs)
        except Exception:  # networks fail in all ways on tensors without values
            self.needs_inputs = True
            self._check(output, logits, inputs)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Inside, `logits` may be called; outside, the network is as it came."""
        module = self.model.module
        with untouched(module), unchanged_attributes(module), ExitStack() as self._replaying:
            self._clips = 0  # of the forward that can be replayed
            try:
                yield
            finally:
                self._replaying.close()
                self._replaying, self._activation = None, None

    def logits(
        self, activation: Float[Tensor, "row ..."], inputs: Float[Tensor, "clip ..."] | None = None
    ) -> Float[Tensor, "clip class"]:
        """Logits of clips whose activation at the layer is this one; inside `running`. Gradients flow where they are enabled.

        Args:
            activation: the layer's output of some clips, one behind the other, as the layer returns it.
            inputs: the prepared clips, where `needs_inputs`.

        Raises:
            ShapeError: for an activation of another shape.
            ModelError: without `inputs` where they are needed, or if the network depends on more for this activation.
        """
        clips, rest = divmod(len(activation), self.shape[0])
        if rest or not clips or tuple(activation.shape[1:]) != self.shape[1:]:
            raise ShapeError(
                f"`activation` must be of the layer's shape {self.shape} a clip. Got {tuple(activation.shape)}. "
                "Record it at the same layer and clip size."
            )
        if self.needs_inputs and (inputs is None or len(inputs) != clips):
            raise ModelError(
                f"`inputs` must be given at {self.layer}, whose network depends on more than its output: one for each of"
                f" {clips} clips. Got {'none' if inputs is None else len(inputs)}. Give the prepared clips."
            )
        logits = self._forward(self._in_native_order(activation), inputs, clips)
        return logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits

    def _forward(self, activation: Tensor, inputs: Tensor | None, clips: int) -> Tensor:
        assert self._replaying is not None, "`logits` must be called inside `running`"
        self._activation, self._runs = activation, 0
        if not self.needs_inputs:
            like = torch.empty(0, dtype=self.model.dtype, device=self.model.device)
            inputs = UnknownTensor.like(like, (clips, *self._clip_shape))
        refusals = UnknownTensor.refusals
        try:
            logits = self._replayed(inputs) if clips == self._clips else self._first(inputs, clips)
            if isinstance(logits, UnknownTensor) or UnknownTensor.refusals > refusals:
                raise UnknownValueError("in the logits, or behind an error that the network caught")
        except UnknownValueError as reason:
            more = "other outputs of it" if self.needs_inputs else "what comes before it"
            raise self._error(f"where the network uses {more} as well") from reason
        if self._runs != 1:
            raise self._error("which does not run for these clips")
        return logits

    def _first(self, inputs: Any, clips: int) -> Tensor:
        """Through the whole network, whose layer's output alone is replaced."""
        assert self._replaying is not None
        module, layer = self.model.module, self.model.layer(self.layer)
        self._replaying.close()
        self._clips = 0
        replay, outputs = Replay(module, layer), []

        def replace(_name: str, output: Any) -> Any:
            if not self.needs_inputs:
                outputs.append(copied(output))
            return self._replace(output)

        with ExitStack() as stack:
            if not self.needs_inputs:
                stack.enter_context(replaced_forwards(unknown_recurrences(module)))
                stack.enter_context(replay.recording())
            stack.enter_context(hooked(self.model, [self.layer], replace))
            logits = self.model.logits(inputs)
        if outputs and is_plain(outputs[0]):
            layer_forward = (layer, lambda *_args, **_keywords: self._replace(copied(outputs[0])))
            self._replaying.enter_context(replaced_forwards([*replay.forwards(), layer_forward]))
            self._replay, self._clips = replay, clips
        return logits

    def _replayed(self, inputs: Any) -> Tensor:
        """Through the part behind the layer."""
        assert self._replay is not None
        self._replay.begin()
        return self.model.logits(inputs)

    def _replace(self, output: Any) -> Any:
        """The layer's output with the activation in it."""
        self._runs += 1
        if self._runs > 1:
            raise self._error("which runs twice for these clips")
        tensor, activation = layer_tensor(output), self._activation
        assert activation is not None
        if tensor.shape != activation.shape:
            raise self._error(f"whose output is of shape {tuple(tensor.shape)} instead of {tuple(activation.shape)}")
        if self.needs_inputs:
            if not is_plain(output):
                raise self._error(f"whose output holds a {type(output).__name__}")
            # No number may depend on what else belongs to the output that is replaced.
            output = map_tensors(output, UnknownTensor.like)
        return replace_layer_tensor(output, activation.to(tensor.dtype))  # mixed precision has a type of its own

    def _in_native_order(self, activation: Tensor) -> Tensor:
        """A copy, which may be written into, in the layer's own memory order: in another one, kernels round otherwise."""
        activation = activation.to(device=self.model.device, dtype=self.model.dtype).permute(self._dim_order)
        back = sorted(range(activation.ndim), key=self._dim_order.__getitem__)
        return activation.clone(memory_format=torch.contiguous_format).permute(back)

    def _recorded(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The layer's output and the logits of clips, from the whole network."""
        outputs: list[Tensor] = []

        def record(_name: str, output: Any) -> None:
            outputs.append(layer_tensor(output).clone())  # later in-place operations change the original

        with untouched(self.model.module), torch.no_grad(), hooked(self.model, [self.layer], record):
            logits = check_finite(self.model.logits(inputs), "the logits")
        if not outputs:
            raise LayerNotFoundError(
                f"`layer` must take part in the forward. Got {self.layer}, which does not run. Choose another."
            )
        if len(outputs) > 1:
            raise self._error("which runs twice")
        return outputs[0], logits

    def _check(self, output: Tensor, logits: Tensor, inputs: Tensor) -> None:
        """That each of two clips' recorded output, put back alone, gives its logits."""
        try:
            with self.running(), torch.no_grad():
                if self.needs_inputs and not self._is_used(inputs[:1]):
                    raise self._error("which no logit depends on")
                clips = zip(output.split(self.shape[0]), inputs.split(1), strict=True)
                again = torch.cat([self.logits(activation, clip) for activation, clip in clips])
        except VideoTcavError:
            raise
        except Exception as reason:  # any error of a foreign network
            raise self._error(f"where the network fails with {typed_first_line(reason)}") from reason
        rounding = _ROUNDINGS * torch.finfo(self.model.dtype).eps * logits.abs().max()
        tolerance = torch.maximum(rounding, _SHARE * (logits[0] - logits[1]).abs().max())
        if not ((again - logits).abs() <= tolerance).all():
            raise self._error("whose rows are not those of one clip behind those of the other")

    def _is_used(self, inputs: Tensor) -> bool:
        """Whether logits are unknown where the activation is."""
        try:
            self._forward(UnknownTensor.like(inputs, self.shape), inputs, 1)
        except Exception:  # networks fail in all ways on tensors without values
            return True
        return False

    def _error(self, problem: str) -> ModelError:
        return ModelError(
            f"`layer` must run once and hand on one tensor that can be replaced, clip by clip. Got {self.layer}, {problem}. "
            "Choose the module around it, or one behind it."
        )
