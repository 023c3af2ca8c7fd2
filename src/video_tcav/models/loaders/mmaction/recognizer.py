"""`Recognizer`: a network built for an mmaction2 config, with its published names, layers and axes."""

from dataclasses import dataclass

from torch import nn

from video_tcav.core.clip_spec import InputLayout
from video_tcav.models.loaders.mmaction.names import NameRules
from video_tcav.models.video_model import AxesRule


@dataclass(frozen=True, kw_only=True)
class Recognizer:
    """What a family builds.

    Attributes:
        module: returns logits.
        names: of its tensors in published checkpoints.
        stages: its default layers.
        axes: of its layers.
        layout: of its input.
        input_name: keyword of its input; `None`: the first positional argument.
    """

    module: nn.Module
    names: NameRules
    stages: tuple[str, ...]
    axes: AxesRule | None
    layout: InputLayout = "channels_first"
    input_name: str | None = None
