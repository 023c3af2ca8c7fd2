"""Video classifiers as ONNX graphs, run by onnxruntime: outputs, but no layers and no gradients."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from video_tcav.core.errors import MethodError, MissingExtraError, ModelError
from video_tcav.models.clip_fields import merge_fields
from video_tcav.models.error_lines import first_line
from video_tcav.models.loaders.networks import describe_network
from video_tcav.models.video_model import VideoModel
from video_tcav.models.weights.loading import Weights, metadata_classes, metadata_fields

try:
    import onnxruntime
except ImportError:  # the extra `onnx`
    onnxruntime = None

NO_LAYERS = "An ONNX graph has no layers to look into, and no gradients"
INSTEAD = "Use predict, or explain by occlusion or rise; for all else load the network that it was exported from."
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}


class OnnxNetwork(nn.Module):
    """An ONNX graph with one input of clips as a module; its weights are in the file, whose digest stands for them."""

    file_digest: Tensor

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._session = _session(path)
        inputs = self._session.get_inputs()
        self._input, self._type = inputs[0].name, _TYPES.get(inputs[0].type)
        self.shape = tuple(size if isinstance(size, int) else None for size in inputs[0].shape)
        if len(inputs) != 1 or self._type is None or len(self.shape) != 5:
            wanted = ", ".join(f"{each.name} {each.type} {each.shape}" for each in inputs)
            raise ModelError(
                "`model` must take one batch of clips, (clip, 3, time, height, width) or (clip, time, 3, height, width), as"
                f" floating numbers. Got {path}, which takes {wanted}. Export it so."
            )
        # A buffer: the digest of a model is that of its tensors, and this graph's are in the file.
        self.register_buffer("file_digest", torch.frombuffer(bytearray(_digest(path)), dtype=torch.uint8))
        self.metadata: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map

    def forward(self, clips: Tensor) -> Tensor:
        """The first output for a batch, in the type and on the device of the clips.

        Raises:
            MethodError: where a gradient by the clips is wanted.
        """
        if clips.requires_grad:
            raise MethodError(f"`model` must have gradients for this. Got an ONNX graph. {INSTEAD}")
        arrays = np.ascontiguousarray(clips.detach().cpu().numpy().astype(self._type))
        size = self.shape[0] or len(arrays)  # an export may be for so many clips at once
        batches = np.split(arrays, range(size, len(arrays), size))
        outputs = [self._run(batch, size) for batch in batches]
        return torch.from_numpy(np.concatenate(outputs)).to(clips)

    def _run(self, batch: np.ndarray, size: int) -> np.ndarray:
        # The last batch is filled up with its last clip, whose further outputs are left out.
        filled = np.concatenate([batch, np.repeat(batch[-1:], size - len(batch), axis=0)])
        return np.asarray(self._session.run(None, {self._input: filled})[0])[: len(batch)]

    def clip_fields(self) -> dict[str, Any]:
        """Frames, size and layout, as far as the input's shape says them."""
        _, first, second, height, width = self.shape
        layouts = {"channels_first": (first, second), "time_first": (second, first)}
        possible = {layout: frames for layout, (colours, frames) in layouts.items() if colours == 3}
        if len(possible) != 1:
            return {} if height is None or width is None else {"size": (height, width)}
        [(layout, frames)] = possible.items()
        fields = {"layout": layout, "frames": frames, "size": None if None in (height, width) else (height, width)}
        return {name: value for name, value in fields.items() if value is not None}


def load_onnx(
    source: str,
    *,
    weights: str | None,
    fields: Mapping[str, Any],
    classes: tuple[str, ...] | None,
    allow_impure: bool = False,
) -> VideoModel:
    """Loader of `onnx:path/to/model.onnx`; arguments as in `ModelLoader.load`.

    Clip settings and class names may stand in the file's metadata, under the keys of the metadata of safetensors weights.
    """
    if onnxruntime is None:
        raise MissingExtraError("onnx", f"onnx:{source}")
    if weights is not None:
        raise ModelError(
            f"`weights` must not be given for an ONNX file, which holds its own. Got {weights}. Leave it out."
        )
    path = Path(source)
    if not path.is_file():
        raise ModelError(f"`model` must name an ONNX file. Got {path}, which does not exist. Check the path.")
    network = OnnxNetwork(path)
    content = Weights(path=path, state_dicts=(), metadata=network.metadata)
    settings = merge_fields(network.clip_fields(), metadata_fields(content), fields)
    model = describe_network(
        network,
        None,
        name=f"onnx:{source}",
        fields=settings,
        classes=classes or metadata_classes(content),
        allow_impure=allow_impure,
    )
    return replace(model, no_layers=f"{NO_LAYERS}. {INSTEAD}")


def _session(path: Path) -> Any:
    assert onnxruntime is not None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors only: warnings about an export are for those who made it
    available = onnxruntime.get_available_providers()
    providers = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in available]
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as reason:  # onnxruntime has a type for each kind of damage, in a private module
        raise ModelError(
            f"`model` must be a readable ONNX file. Got {path}: {first_line(reason)}. Export it again."
        ) from None


def _digest(path: Path) -> bytes:
    """SHA-256 of a graph and of the files of tensors that it names, as exports of large networks have them."""
    content = path.read_bytes()
    digest = hashlib.sha256(content)
    # An entry of `external_data` as protocol buffers have it: key (field 1) `location`, value (field 2) of so many bytes.
    entries = re.finditer(rb"\n\x08location\x12([\x01-\x7f])", content)
    for name in sorted({content[entry.end() : entry.end() + entry[1][0]] for entry in entries}):
        with (path.parent / name.decode()).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.digest()
