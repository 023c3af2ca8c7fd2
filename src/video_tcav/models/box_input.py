"""One box of the picture, as an input beside the clip: networks that classify what people do in boxes (AVA)."""

import inspect
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from video_tcav.core.errors import InputError
from video_tcav.core.limits import excerpt, finite

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, as fractions of the width and height that the network sees."""
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def parse_box(box: str | Sequence[float]) -> Box:
    """A box from its four numbers, or their text.

    Raises:
        InputError: for another form, or a box of no area or beyond the picture.
    """
    fields = box.split(",") if isinstance(box, str) else list(box)
    try:
        left, top, right, bottom = (finite(field) for field in fields)
    except (TypeError, ValueError):
        left = top = right = bottom = -1.0
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise InputError(
            "`at_box` must be left,top,right,bottom as fractions of the picture, with left < right and top < bottom. Got"
            f" {excerpt(box)}. Write, for example, 0.1,0.2,0.5,0.9."
        )
    return left, top, right, bottom


def boxes_of(box: Box, inputs: Float[Tensor, "clip ..."]) -> Float[Tensor, "clip 5"]:
    """The same box for each clip of a batch, as RoIAlign of torchvision takes it: number of the clip, then x, y, x, y in pixels.

    Args:
        box: in fractions.
        inputs: prepared clips, whose last two dimensions are height and width.
    """
    height, width = inputs.shape[-2:]
    left, top, right, bottom = box
    pixels = torch.tensor([left * width, top * height, right * width, bottom * height])
    numbers = torch.arange(len(inputs))[:, None]
    return torch.cat([numbers, pixels.expand(len(inputs), 4)], dim=1).to(device=inputs.device, dtype=inputs.dtype)


def check_takes_boxes(module: nn.Module) -> None:
    """Refuse a network whose forward has no second argument.

    Raises:
        InputError: for such a one.
    """
    parameters = inspect.signature(module.forward).parameters.values()
    positional = [parameter.name for parameter in parameters if parameter.kind in _POSITIONAL]
    if len(positional) < 2 and not any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
        raise InputError(
            f"`at_box` must go with a network that takes (clips, boxes). Got {type(module).__name__}, whose forward takes"
            f" ({', '.join(positional)}). Leave it out."
        )
