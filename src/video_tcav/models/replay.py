"""Replay of the modules before a layer: what they returned in one forward is what they return at once in the next ones."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from video_tcav.models.outputs import leaves_in, map_tensors
from video_tcav.models.unknown_tensors import UnknownTensor

_PLAIN = (torch.Tensor, bool, int, float, str, type(None), tuple, list, dict, torch.dtype, torch.device)
_MISSING = object()
_HOOKS = {name for name in vars(nn.Module()) if name.endswith(("_hooks", "_with_kwargs", "_always_called"))}
"""Where modules keep their hooks: no state of a forward, and one that removes itself must stay removed."""


class Replay:
    """Calls of modules that return before a layer runs, without those inside other such calls.

    Args:
        module: the network.
        layer: a module in it.
    """

    def __init__(self, module: nn.Module, layer: nn.Module) -> None:
        self._module, self._layer = module, layer
        self._open: list[list[tuple[nn.Module, Any]]] = [[]]  # for each module that is running: what returned inside it
        self._calls: list[tuple[nn.Module, Any]] | None = None
        self._outputs: dict[nn.Module, Iterator[Any]] = {}

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Around the first forward."""
        with ExitStack() as handles:
            for module in self._module.modules():
                handles.enter_context(module.register_forward_pre_hook(self._enter))
                handles.enter_context(module.register_forward_hook(self._leave))
            yield

    def begin(self) -> None:
        """Before each further forward."""
        outputs: dict[nn.Module, list[Any]] = {}
        for module, output in self._calls or []:
            outputs.setdefault(module, []).append(output)
        self._outputs = {module: iter(returned) for module, returned in outputs.items()}

    def forwards(self) -> list[tuple[nn.Module, Callable[..., Any]]]:
        """Each module that was called, with the forward that stands in for its own in further forwards."""
        modules = dict.fromkeys(module for module, _ in self._calls or [])
        return [(module, self._forward(module, module.forward)) for module in modules]

    def _forward(self, module: nn.Module, original: Callable[..., Any]) -> Callable[..., Any]:
        def stand_in(*arguments: Any, **keywords: Any) -> Any:
            output = next(self._outputs[module], _MISSING)
            # a module that is shared runs behind the layer as well
            return original(*arguments, **keywords) if output is _MISSING else copied(output)

        return stand_in

    def _enter(self, module: nn.Module, _inputs: Any) -> None:
        if module is self._layer and self._calls is None:
            self._calls = [call for calls in self._open for call in calls]
        self._open.append([])

    def _leave(self, module: nn.Module, _inputs: Any, output: Any) -> None:
        inner = self._open.pop()
        # An object that holds more than tensors may change from call to call: then the modules inside are replayed.
        self._open[-1] += [(module, copied(output))] if is_plain(output) else inner


def is_plain(output: object) -> bool:
    """Whether an output consists of tensors, numbers and texts, in containers that can be copied."""
    return all(isinstance(leaf, _PLAIN) for leaf in leaves_in(output))


def copied(output: Any) -> Any:
    """A copy that may be written into; tensors without values need none."""
    return map_tensors(output, lambda tensor: tensor if isinstance(tensor, UnknownTensor) else tensor.clone())


@contextmanager
def unchanged_attributes(module: nn.Module) -> Iterator[None]:
    """What modules keep of forwards inside, such as a mask or the last attention, is outside as it was before."""
    containers = [
        container
        for submodule in module.modules()
        for container in (vars(submodule), *(value for name, value in vars(submodule).items() if name not in _HOOKS))
        if isinstance(container, dict | list)
    ]
    contents = [container.copy() for container in containers]
    try:
        yield
    finally:
        for container, content in zip(containers, contents, strict=True):
            _restore(container, content)


def _restore(container: Any, content: Any) -> None:
    if isinstance(container, list):
        container[:] = content
        return
    for key in container.keys() - content.keys():
        del container[key]
    container.update(content)
