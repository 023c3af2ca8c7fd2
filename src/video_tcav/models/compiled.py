"""torch.compile for the parts of a network between the requested layers; hooks on the layers themselves still see everything.

Compiling the network as a whole would compile the hooks with it. Nothing is left of it outside of the `with`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from video_tcav.core.errors import ModelError
from video_tcav.models.record import replaced_forwards

_COMPILER = ("torch._dynamo", "torch._inductor")
_CONTAINERS = (nn.ModuleList, nn.ModuleDict)


class CompiledParts:
    """Compiled twins of a network's parts, made when they first run.

    Args:
        module: the network.
        layers: dotted names of the requested layers.
    """

    def __init__(self, module: nn.Module, layers: Sequence[str]) -> None:
        self._forwards = [(part, torch.compile(part.forward)) for part in parts_between(module, layers)]

    @contextmanager
    def used(self) -> Iterator[None]:
        """Inside, the network runs its compiled parts.

        Raises:
            ModelError: where a part cannot be compiled, or there is no compiler.
        """
        try:
            with replaced_forwards(self._forwards):
                yield
        except Exception as error:
            if not type(error).__module__.startswith(_COMPILER):  # an error of the model, or of the user's own
                raise
            reason = str(error).strip().partition("\n")[0]
            raise ModelError(f"`compile` must suit the model and the machine. Got {reason}. Leave it out.") from error


def parts_between(module: nn.Module, layers: Sequence[str]) -> list[nn.Module]:
    """The largest parts of a network that hold none of these layers inside; a layer itself is such a part.

    Where one layer lies within another, the inner one is what counts.
    """
    above = {".".join(name.split(".")[:depth]) for name in layers for depth in range(len(name.split(".")))}
    found: list[nn.Module] = []

    def visit(part: nn.Module, name: str) -> None:
        if name in above or isinstance(part, _CONTAINERS):
            for child_name, child in part.named_children():
                visit(child, f"{name}.{child_name}" if name else child_name)
        else:
            found.append(part)

    visit(module, "")
    return found
