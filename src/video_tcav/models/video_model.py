"""`VideoModel`: a video classifier with its clip, classes, layers, preprocessing and kind of outputs."""

import difflib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import ClassNotFoundError, LayerNotFoundError, ModelError
from video_tcav.core.escaping import well_formed
from video_tcav.core.limits import excerpt
from video_tcav.models.axes.layer_axes import LayerAxes
from video_tcav.models.box_input import Box, boxes_of
from video_tcav.models.output_kinds import BUILT_IN_LOGITS, OUTPUT_KINDS, Outputs
from video_tcav.models.outputs import output_rows
from video_tcav.models.streams import cleared_streams, stream_cleaners
from video_tcav.models.wrappers import COMPILED

AxesRule = Callable[[str, tuple[int, ...], tuple[int, int, int]], LayerAxes | None]
"""Layer name, shape of its output for one clip, `(time, height, width)` of that clip -> axes, or `None`: not certain."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class VideoModel:
    """A video classifier, ready to be explained. No call changes it.

    Attributes:
        name: the spec that it was loaded by.
        module: the network, in evaluation mode.
        clip_spec: what clip it wants.
        classes: name of each logit.
        default_layers: its stages, in the order of the forward pass.
        prepare: turns a decoded clip `(time, 3, height, width)`, uint8, into one model input without a batch dimension.
        input_name: keyword of the module's input, for Hugging Face models; `None`: the first positional argument.
        declare_axes: axes of the layers of a known family; where it is or returns `None`, they are probed.
        trained: `False` where the weights are known to be random.
        outputs: what the numbers that the module returns are.
        notes: what was assumed or done when it was loaded, one sentence each.
        no_layers: why no layer can be looked into, in sentences for errors; empty where layers can.
        part: which part of what the module returns is explained; `None`: its one row of numbers a clip.
        box: the box that is explained, where the module takes boxes beside clips; `None`: it takes clips alone.
        recipe: arguments with which `load_model` loads it again, the device excepted; `None` for a module in memory.
    """

    name: str
    module: nn.Module
    clip_spec: ClipSpec
    classes: tuple[str, ...]
    default_layers: tuple[str, ...]
    prepare: Callable[[UInt8[Tensor, "time 3 height width"]], Float[Tensor, "..."]]
    input_name: str | None = None
    declare_axes: AxesRule | None = None
    trained: bool = True
    outputs: Outputs = BUILT_IN_LOGITS
    notes: tuple[str, ...] = ()
    no_layers: str = ""
    part: Callable[[object], object] | None = None
    box: Box | None = None
    recipe: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        # Lone surrogates in names of classes could be written to no file.
        object.__setattr__(self, "classes", tuple(well_formed(name) for name in self.classes))

    def __repr__(self) -> str:
        size = "native size" if self.clip_spec.size is None else "{} × {} pixels".format(*self.clip_spec.size)
        clip = f"{self.clip_spec.frames} frames of {size}"
        return f"<VideoModel {self.name}: {len(self.classes)} classes, {clip}, on {self.device}>"

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next((tensor.device for tensor in _tensors(self.module)), torch.device("cpu"))

    @property
    def dtype(self) -> torch.dtype:
        """Floating type of the weights."""
        return next((t.dtype for t in _tensors(self.module) if t.is_floating_point()), torch.float32)

    def remarks(self) -> tuple[str, ...]:
        """Notes for a reader of results: what the outputs are, unless they are known to be logits, and `notes`."""
        is_plain = self.outputs.kind == "logits" and not self.outputs.is_assumed
        return self.notes if is_plain else (self.outputs.sentence, *self.notes)

    def for_provenance(self) -> dict[str, Any]:
        """What says which model it is, in the provenance of results."""
        noted = {
            "name": self.name,
            "weights": self.weights_digest,
            "trained": self.trained,
            "outputs": self.outputs.kind,
        }
        # one network answers differently by head, moment and box
        noted |= {} if self.part is None else {"part": str(self.part)}
        return noted if self.box is None else noted | {"box": list(self.box)}

    @cached_property
    def weights_digest(self) -> str:
        """SHA-256 over the names, types, shapes and bytes of all weights and buffers; computed once."""
        return state_digest(self.module)

    @cached_property
    def _is_compiled(self) -> bool:
        # In these hooks may not be called; `Module.compile` leaves its code in the attribute.
        return any(
            COMPILED in submodule._modules or getattr(submodule, "_compiled_call_impl", None) is not None
            for submodule in self.module.modules()
        )

    @cached_property
    def _stream_cleaners(self) -> tuple[Callable[[], object], ...]:
        return stream_cleaners(self.module)

    def forward(self, inputs: Float[Tensor, "clip ..."]) -> object:
        """What the module returns for a batch, which is moved to its device and type; or the part of it that is explained."""
        inputs = inputs.to(device=self.device, dtype=self.dtype)
        boxes = () if self.box is None else (boxes_of(self.box, inputs),)
        # Compiled submodules run eagerly: compiled code does not call hooks that were registered later.
        eager = torch.compiler.set_stance("force_eager") if self._is_compiled else nullcontext()
        with cleared_streams(self.module, self._stream_cleaners), eager:
            output = (
                self.module(inputs, *boxes) if self.input_name is None else self.module(**{self.input_name: inputs})
            )
        return output if self.part is None else self.part(output)

    def values(self, inputs: Float[Tensor, "clip ..."]) -> Float[Tensor, "clip class"]:
        """What the module returns for a batch of prepared clips on any device, one row a clip; gradients flow unless disabled.

        Raises:
            ModelError: if the module does not return one number for each class.
        """
        return output_rows(self.forward(inputs), clips=len(inputs), classes=len(self.classes))

    def logits(self, inputs: Float[Tensor, "clip ..."]) -> Float[Tensor, "clip class"]:
        """Logits of a batch of prepared clips, also where the module returns probabilities; plain numbers as they are.

        Raises:
            ModelError: if the module does not return one number for each class, or no probabilities where it must.
        """
        values = self.values(inputs)
        contradiction = self.outputs.contradiction(values.detach())
        if contradiction is not None:
            raise ModelError(
                f"`outputs` must be what the model returns. Got {self.outputs.kind}, {self.outputs.known_by}, and"
                f" {contradiction}. Say what they are: {', '.join(OUTPUT_KINDS)}."
            )
        return self.outputs.to_logits(values)

    def class_index(self, target: str | int) -> int:
        """Index of a class given by its name, or else by its number.

        Raises:
            ClassNotFoundError: if it is neither.
        """
        name = well_formed(str(target))
        if name in self.classes:
            return self.classes.index(name)
        if name.isdecimal() and len(name) < 10 and int(name) < len(self.classes):  # Python parses up to 4,300 digits
            return int(name)
        raise ClassNotFoundError(
            f"`target` must be one of the model's {len(self.classes)} classes or its number."
            f" Got {excerpt(name)}. {_closest(name, self.classes)}"
        )

    def check_layers(self) -> None:
        """Refuse a model whose layers cannot be looked into.

        Raises:
            LayerNotFoundError: if it is such a one.
        """
        if self.no_layers:
            raise LayerNotFoundError(f"`model` must have layers for this. Got {self.name}. {self.no_layers}")

    def stages(self) -> tuple[str, ...]:
        """The default layers.

        Raises:
            LayerNotFoundError: if it has none.
        """
        self.check_layers()
        if not self.default_layers:
            raise LayerNotFoundError(
                f"`layers` must be given for {self.name}, which has no default layers. Got none."
                f" `video-tcav layers --model {self.name}` lists those that can be chosen."
            )
        return self.default_layers

    def layer(self, name: str) -> nn.Module:
        """The submodule of that dotted name.

        Raises:
            LayerNotFoundError: if there is none.
        """
        self.check_layers()
        modules = dict(self.module.named_modules())
        if not name or name not in modules:
            raise LayerNotFoundError(
                f"`layer` must name a layer of {self.name}. Got {name!r}. {_closest(name, [m for m in modules if m])}"
                f" `video-tcav layers --model {self.name}` lists all."
            )
        return modules[name]


def state_digest(module: nn.Module) -> str:
    """SHA-256 over the names, types, shapes and bytes of a module's weights and buffers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        if isinstance(tensor, Tensor):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)  # NumPy has no bfloat16
            digest.update(raw.numpy().data)
    return digest.hexdigest()


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters()
    yield from module.buffers()


def _closest(name: str, names: list[str] | tuple[str, ...]) -> str:
    matches = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    return f"Closest: {', '.join(matches)}." if matches else "Nothing is close to it."
