"""Settings of a model: what commands and experiment files take for `load_model`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from video_tcav.core.clip_spec import OutputKind, Sampling, Short
from video_tcav.core.settings import Settings, setting


@dataclass(frozen=True, kw_only=True)
class ModelSettings(Settings):
    """Options of a model beside its name. Sizes and colours may also be text, as on the command line; `load_model` parses it."""

    TITLE = "Model and clip"

    weights: str | None = setting(
        None, "A safetensors file or checkpoint of tensors, or a published name: KINETICS400_V1.", metavar="W"
    )
    outputs: OutputKind | None = setting(
        None, "What the network returns.", default_text="what its configuration says, or a trial shows"
    )
    frames: int | None = setting(None, "Frames in a clip.", least=1)
    stride: int | None = setting(None, "Take every so many frames of the video.", least=1)
    sampling: Sampling | None = setting(None, "Neighbouring frames, or spread over the whole video.")
    short: Short | None = setting(
        None, "A video with fewer frames than a clip: list it, repeat its last frame, or start over."
    )
    size: int | tuple[int, int] | Literal["native"] | None = setting(
        None, "Pixels of the model's input.", metavar="N|HEIGHTxWIDTH|native"
    )
    mean: float | tuple[float, float, float] | None = setting(None, "Mean of the pixels in [0, 1].", metavar="X[,X,X]")
    std: float | tuple[float, float, float] | None = setting(None, "Their standard deviation.", metavar="X[,X,X]")
    classes: Path | None = setting(None, "Class names, one a line, numbered, or in JSON.", metavar="FILE")
    erased: Path | None = setting(
        None, "Concepts to take out of a layer, as `video-tcav erase` wrote them.", metavar="FILE"
    )
    classes_text: str | None = setting(
        None, "Zero-shot models: the text of a class.", metavar="TEXT", default_text="a video of {}"
    )
    adapter: Path | None = setting(None, "A PEFT adapter (LoRA) of the model.", metavar="FOLDER")
    probe: Path | None = setting(None, "A linear or attentive probe of an encoder: safetensors.", metavar="FILE")
    head: str | None = setting(
        None, "Which output of several is explained, such as noun; of timm:, mean or lstm over frames.", metavar="NAME"
    )
    at_time: float | None = setting(
        None, "Which second of the clip is explained, of one row of outputs a frame.", metavar="S"
    )
    at_box: str | tuple[float, float, float, float] | None = setting(
        None,
        "Which box of the picture is explained, in fractions of it, of a network that takes boxes.",
        metavar="X,Y,X,Y",
    )
    allow_impure: bool = setting(
        False, "Take a network that gives one clip other outputs each time, or among other clips."
    )
    device: str | None = setting(None, "auto, cpu, cuda:0 or mps.", default_text="auto")
