"""Erasure: a layer's outputs with the coordinates along some directions put to fixed values, for good.

A concept's direction projected out of a model is an `Erasure`: the network keeps all its weights and layers, and what it computes
behind the layer can no longer depend on these coordinates.
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from video_tcav.core.errors import ModelError, WeightsError
from video_tcav.core.limits import LimitError, check_regular
from video_tcav.core.tables import tensors_digest, write_tensors
from video_tcav.models.hooks import trace_layers
from video_tcav.models.layers import noise_clip
from video_tcav.models.outputs import layer_tensor, replace_layer_tensor
from video_tcav.models.video_model import VideoModel

FORMAT = "video-tcav erasure 1"
_TENSORS = ("read", "write", "values")
_SUBMODULE = "erased_directions"
_CURE = "Give the file that `video-tcav erase` wrote."


@dataclass(frozen=True, kw_only=True, eq=False)
class Erasure:
    """Coordinates of a layer's output that are put to fixed values.

    Attributes:
        layer: dotted module name.
        concepts: whose directions they are.
        read: what the output is multiplied with to get each coordinate, in the shape of the layer's output for one clip.
        write: what a step of one along each coordinate adds to the output; `read` of it is 1, and 0 for the others.
        values: what the coordinates are put to.
        weights_digest: of the model that it belongs to.
    """

    layer: str
    concepts: tuple[str, ...]
    read: Float[Tensor, "direction ..."]
    write: Float[Tensor, "direction ..."]
    values: Float[Tensor, " direction"]
    weights_digest: str

    def save(self, path: str | Path) -> Path:
        """Write it as one safetensors file.

        Raises:
            OutputError: if it cannot be written.
        """
        tensors = {name: getattr(self, name).detach().cpu().contiguous() for name in _TENSORS}
        facts = json.dumps(
            {"layer": self.layer, "concepts": list(self.concepts), "weights_digest": self.weights_digest}
        )
        metadata = {"format": FORMAT, "erasure": facts, "digest": tensors_digest(facts, tensors)}
        write_tensors(Path(path), tensors, metadata=metadata)
        return Path(path)


class _Facts(BaseModel):
    """What the metadata of a file says; names as in `Erasure`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    layer: str
    concepts: list[str]
    weights_digest: str


def load_erasure(path: str | Path) -> Erasure:
    """Read an erasure, if it is as it was written.

    Raises:
        WeightsError: if the file cannot be read, is something else, or is damaged.
    """
    try:
        check_regular(Path(path))
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT or sorted(file.keys()) != sorted(_TENSORS):
                raise WeightsError(
                    f"`erased` must be a file of erased directions. Got {path}, of another format. {_CURE}"
                )
            # copies: a view of a file that is cut off meanwhile would end the process
            tensors = {name: file.get_tensor(name).clone() for name in _TENSORS}
        facts = _Facts.model_validate_json(metadata.get("erasure", ""))
    except (OSError, LimitError, SafetensorError, ValidationError) as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(f"`erased` must be a readable safetensors file. Got {path} ({reason}). {_CURE}") from error
    if metadata.get("digest") != tensors_digest(metadata["erasure"], tensors) or not _is_whole(tensors):
        raise WeightsError(f"`erased` must be as it was written. Got {path}, which is damaged. {_CURE}")
    return Erasure(layer=facts.layer, concepts=tuple(facts.concepts), weights_digest=facts.weights_digest, **tensors)


def with_erasure(model: VideoModel, erasure: Erasure, *, in_place: bool = False) -> VideoModel:
    """The model without what an erasure takes away; layers keep their names.

    Args:
        model: that it was made for.
        erasure: from `load_erasure`, or of a model's own CAVs.
        in_place: whether the network itself is changed, not a copy of it, which takes as much memory again.

    Raises:
        LayerNotFoundError: if the model has no such layer.
        WeightsError: if it was made for other weights.
        ModelError: if the network cannot be copied, or has a part of that name already.
    """
    model.layer(erasure.layer)
    if erasure.weights_digest != model.weights_digest:
        raise WeightsError(
            f"`erased` must belong to these weights. Got directions of another model for {model.name}. Erase them anew."
        )
    if hasattr(model.module, _SUBMODULE):
        raise ModelError(f"`model` must have nothing erased yet. Got {model.name} with it. Erase all concepts at once.")
    _check_shape(model, erasure)
    module = model.module if in_place else _copied(model)
    directions = _ErasedDirections(erasure).to(model.device)
    module.add_module(_SUBMODULE, directions)  # its buffers become part of the weights' digest
    dict(module.named_modules())[erasure.layer].register_forward_hook(directions.replaced)
    note = f"{' and '.join(erasure.concepts)} erased at {erasure.layer}: {len(erasure.values)} directions."
    return replace(model, module=module, notes=(*model.notes, note), recipe=None)


def _check_shape(model: VideoModel, erasure: Erasure) -> None:
    """Refuse directions of clips of another length or size, before any clip is passed.

    A network of frames folds time into its batch: 16 frames would pass there as two clips of the 8 that were erased.
    """
    shape = trace_layers(model, [erasure.layer], noise_clip(model).to(model.device)).shapes[erasure.layer]
    if tuple(shape) != tuple(erasure.read.shape[1:]):
        raise ModelError(
            f"`erased` must be of clips of the same size and length. Got directions for {tuple(erasure.read.shape[1:])} at "
            f"{erasure.layer}, where {model.name} gives {tuple(shape)}. Give the --size and --frames that they were made with."
        )


class _ErasedDirections(nn.Module):
    """What takes the coordinates out of each output."""

    read: Tensor
    write: Tensor
    values: Tensor

    def __init__(self, erasure: Erasure) -> None:
        super().__init__()
        self.layer, self.shape = erasure.layer, tuple(erasure.read.shape[1:])
        for name in _TENSORS:
            self.register_buffer(name, getattr(erasure, name))

    def forward(self, output: Float[Tensor, "row ..."]) -> Float[Tensor, "row ..."]:
        folded, *shape = self.shape
        if output.shape[1:] != torch.Size(shape) or len(output) % folded:
            raise ModelError(
                f"`clips` must have the size that directions were erased for. Got an output of {tuple(output.shape[1:])} at "
                f"{self.layer}, not {tuple(shape)}. Give --size."
            )
        # a layer of single frames has them in its batch: rows of one clip follow each other
        clips = output.reshape(len(output) // folded, -1)
        # in the wider of both types: a coordinate is a sum over all values of a layer
        wide = torch.promote_types(output.dtype, torch.float32)
        read, write, values = (tensor.to(wide) for tensor in (self.read, self.write, self.values))
        # h + (v - R h) W: `read` R takes a coordinate off, `write` W moves it alone, whatever the layout of the layer
        shifts = values - clips.to(wide) @ read.flatten(1).T
        return output + (shifts @ write.flatten(1)).to(output.dtype).reshape(output.shape)

    def replaced(self, _layer: nn.Module, _inputs: Any, output: Any) -> Any:
        """The output of a layer, without them."""
        return replace_layer_tensor(output, self(layer_tensor(output)))


def _copied(model: VideoModel) -> nn.Module:
    try:
        return copy.deepcopy(model.module)
    except Exception as error:  # of a network of the user's, which may hold anything
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"`model` must be a network that can be copied. Got {model.name} ({reason}). Save the erasure, and load with it."
        ) from error


def _is_whole(tensors: Mapping[str, Tensor]) -> bool:
    read, write, values = (tensors[name] for name in _TENSORS)
    shapes_fit = read.ndim >= 2 and read.shape == write.shape and values.shape == read.shape[:1]
    return shapes_fit and all(
        tensor.is_floating_point() and bool(tensor.isfinite().all()) for tensor in tensors.values()
    )
