"""Forward hooks: activations of every requested layer from one forward, their gradients from one backward.

The network before the first requested layer runs without a graph; a forward that needs no gradient stops after the last
requested layer. The model is left unchanged, also after an exception or Ctrl-C.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from video_tcav.core.errors import LayerNotFoundError, ModelError, NonFiniteError
from video_tcav.models.outputs import first_tensor, layer_tensor, replace_layer_tensor
from video_tcav.models.recurrent import recurrent_forwards
from video_tcav.models.video_model import VideoModel

Hook = Callable[[str, Any], Any]
BATCH_BYTES = 512 * 2**20
"""Memory that the outputs of one batch may take, roughly."""
LARGEST_BATCH = 8


@dataclass(frozen=True, kw_only=True, eq=False)  # tensors do not compare
class LayerTrace:
    """Order, shapes and memory of layers in one forward of one clip.

    Attributes:
        layers: the requested layers, in the order in which they ran.
        shapes: of each layer's output for one clip; the first axis is 1 unless the layer folds frames into it.
        clip_bytes: memory that a graph over the whole network holds for one clip, roughly.
        inputs: that clip.
        logits: of it.
    """

    layers: tuple[str, ...]
    shapes: dict[str, tuple[int, ...]]
    clip_bytes: int
    inputs: Float[Tensor, "one ..."]
    logits: Float[Tensor, "one class"]

    @property
    def batch(self) -> int:
        """How many clips to pass at once, so that memory suffices."""
        return max(1, min(LARGEST_BATCH, BATCH_BYTES // self.clip_bytes))


@dataclass(frozen=True, kw_only=True)
class Gradients:
    """Gradients of the target by every layer's activation.

    Attributes:
        layers: by layer name, one row a clip.
        activations: of the same layers, as the gradients belong to them.
        target: value of the target, one a clip.
        logits: of the same forward.
    """

    layers: dict[str, Float[Tensor, "clip ..."]]
    activations: dict[str, Float[Tensor, "clip ..."]]
    target: Float[Tensor, " clip"]
    logits: Float[Tensor, "clip class"]


class _Stop(Exception):
    """Raised by the last layer's hook to skip the remaining network."""


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """Evaluation mode and frozen parameters inside; modes, flags and gradients as before outside.

    Gradients can be taken inside also where the caller is in inference mode, and through recurrent layers on a GPU.
    """
    modes = [(submodule, submodule.training) for submodule in module.modules()]
    flags = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    grad_enabled = torch.is_grad_enabled()
    with (
        torch.inference_mode(False) if torch.is_inference_mode_enabled() else nullcontext(),
        replaced_forwards(recurrent_forwards(module)),
    ):
        try:
            # Leaving inference mode turns gradients on, also where the caller has turned them off.
            torch.set_grad_enabled(grad_enabled)
            module.eval()
            for parameter, _ in flags:
                parameter.requires_grad_(False)
            yield
        finally:
            torch.set_grad_enabled(grad_enabled)
            # Attribute by attribute: `train(mode)` would also set the modes of submodules.
            for submodule, training in modes:
                submodule.training = training
            for parameter, requires_grad in flags:
                parameter.requires_grad_(requires_grad)


@contextmanager
def replaced_forwards(replacements: Sequence[tuple[nn.Module, Callable[..., Any]]]) -> Iterator[None]:
    """Each module runs another function inside, and its original one outside; weights and hooks stay where they are."""
    # Only what an instance carries is put back: the method of the class is found again by itself.
    originals = [(module, vars(module).get("forward")) for module, _ in replacements]
    try:
        for module, forward in replacements:
            module.forward = forward
        yield
    finally:
        for module, original in originals:
            vars(module).pop("forward", None)
            if original is not None:
                module.forward = original


@contextmanager
def hooked(model: VideoModel, layers: Sequence[str], hook: Hook) -> Iterator[None]:
    """Call `hook(layer, output)` whenever one of the layers has run; its return value, if any, replaces the output."""
    with ExitStack() as handles:
        for name in dict.fromkeys(layers):  # a layer that is named twice runs once
            register = model.layer(name).register_forward_hook
            handles.enter_context(register(lambda _module, _inputs, output, name=name: hook(name, output)))
        yield


def observe(
    model: VideoModel, layers: Sequence[str], inputs: Float[Tensor, "clip ..."], note: Callable[[str, Tensor], None]
) -> None:
    """One forward without a graph that calls `note(layer, tensor)` with each layer's first floating tensor, where it has one."""

    def hook(name: str, output: Any) -> None:
        tensor = first_tensor(output)
        if tensor is not None:
            note(name, tensor)

    with untouched(model.module), hooked(model, layers, hook), torch.no_grad():
        model.forward(inputs)


def trace_layers(model: VideoModel, layers: Sequence[str], inputs: Float[Tensor, "one ..."]) -> LayerTrace:
    """Order and output shapes of layers, from one forward of one prepared clip.

    Raises:
        LayerNotFoundError: for a name that is no layer, or a layer that does not run.
        ModelError: for a layer that runs twice in one forward.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    clip_bytes = 0

    def note(name: str, output: Any) -> None:
        if name in shapes:
            raise ModelError(
                f"`layer` must run once in a forward. Got {name}, which runs twice. Choose a layer inside it."
            )
        shapes[name] = tuple(layer_tensor(output).shape)

    def add_bytes(_module: nn.Module, _inputs: Any, output: Any) -> None:
        nonlocal clip_bytes
        if isinstance(output, Tensor):
            clip_bytes += output.nbytes

    # Modules without children alone: containers pass on the same tensors.
    leaves = [module for module in model.module.modules() if next(module.children(), None) is None]
    with untouched(model.module), hooked(model, layers, note), torch.no_grad(), ExitStack() as handles:
        for leaf in leaves:
            handles.enter_context(leaf.register_forward_hook(add_bytes))
        logits = model.logits(inputs)
    for name in layers:
        if name not in shapes:
            raise LayerNotFoundError(
                f"`layer` must take part in the forward. Got {name}, which does not run. Choose another."
            )
    return LayerTrace(
        layers=tuple(shapes),
        shapes=shapes,
        clip_bytes=max(clip_bytes, inputs.nbytes),
        inputs=inputs,
        logits=logits,
    )


def record_activations(
    model: VideoModel, layers: Sequence[str], inputs: Float[Tensor, "clip ..."], *, last: str | None = None
) -> dict[str, Float[Tensor, "clip ..."]]:
    """Activations of all layers from one forward, without a graph.

    Args:
        model: the model.
        layers: dotted module names.
        inputs: prepared clips.
        last: the layer that runs last, if known from `trace_layers`: the forward stops there.

    Raises:
        NonFiniteError: if a layer gives NaN or infinity; the message counts the clips.
    """
    recorded: dict[str, Tensor] = {}

    def record(name: str, output: Any) -> None:
        recorded[name] = layer_tensor(output).detach().clone()  # later in-place operations change the original
        if name == last:
            raise _Stop

    with untouched(model.module), hooked(model, layers, record), torch.no_grad(), suppress(_Stop):
        model.logits(inputs)
    for name in layers:
        check_finite(recorded[name], f"layer {name}")
    return {name: recorded[name] for name in layers}


def record_gradients(
    model: VideoModel, layers: Sequence[str], inputs: Float[Tensor, "clip ..."], target: Callable[[Tensor], Tensor]
) -> Gradients:
    """Gradients of the target by all layers' activations, from one forward and one backward.

    Args:
        model: the model.
        layers: dotted module names.
        inputs: prepared clips.
        target: from logits `(clip, class)` to one number a clip, such as `Target`.

    Raises:
        NonFiniteError: if the logits or a gradient hold NaN or infinity.
        ModelError: if the target does not depend on a layer.
    """
    leaves: dict[str, Tensor] = {}

    def cut(name: str, output: Any) -> Any:
        activation = layer_tensor(output)
        if not activation.requires_grad:  # nothing before this layer was requested: the graph starts here
            activation = activation.detach().requires_grad_()
            torch.set_grad_enabled(True)
        leaves[name] = activation
        # Later in-place operations change the copy, not the leaf of the graph.
        return replace_layer_tensor(output, activation.clone())

    with untouched(model.module), hooked(model, layers, cut):
        torch.set_grad_enabled(False)
        logits = model.logits(inputs)
        # A target is a difference of logits, for which half precision has too few digits.
        if logits.dtype in (torch.bfloat16, torch.float16):
            logits = logits.float()
        if not torch.isfinite(logits).all():
            for name in layers:  # the first layer with such a value says more than the logits
                check_finite(leaves[name].detach(), f"layer {name}")
            check_finite(logits, "the logits")
        values, grads = target(logits), (None,) * len(layers)
        if values.requires_grad:
            # The clips of a batch do not influence each other, so the gradient of the sum is that of each clip's target.
            grads = torch.autograd.grad(values.sum(), [leaves[name] for name in layers], allow_unused=True)
    gradients: dict[str, Tensor] = {}
    for name, gradient in zip(layers, grads, strict=True):
        if gradient is None:
            raise ModelError(
                f"`layer` must influence the target. Got {name}, which does not. Choose a layer before the head."
            )
        gradients[name] = check_finite(gradient, f"the gradient at layer {name}")
    activations = {name: leaves[name].detach() for name in layers}
    return Gradients(layers=gradients, activations=activations, target=values.detach(), logits=logits.detach())


def check_finite(values: Tensor, description: str) -> Tensor:
    """Return `values`, or raise a `NonFiniteError` that counts the clips whose row holds NaN or infinity."""
    if not torch.isfinite(values).all():
        bad = int((~torch.isfinite(values.flatten(1)).all(1)).sum())
        raise NonFiniteError(
            f"`model` must give finite numbers. Got NaN or infinity in {description} for {bad} of {len(values)} clips. "
            "Check the weights and the preprocessing (mean, std)."
        )
    return values
