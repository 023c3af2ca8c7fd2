"""Cache keys: digests of exactly the inputs that a row's values depend on.

Where two things could differ in the last bit (another version of torch, another number of threads, another processor),
they have different keys: a result must not depend on what a store happens to hold.
"""

import functools
import hashlib
import json
import sysconfig
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from video_tcav.core.provenance import package_version
from video_tcav.media import VideoSource
from video_tcav.models import VideoModel
from video_tcav.models.video_model import state_digest
from video_tcav.recording.fast.precision import Precision

RECORDING = 2
"""Raise it when the passes give other bits than before: batches, memory order, feature spaces, twins."""

_PACKAGES = ("torch", "torchvision", "transformers", "av")  # whose other versions may decode or pass to other bits
_PROBE_SIZES = ((96, 128), (150, 110))  # height, width: one wide and one tall, so that a resize or a crop shows
_DEEPEST = 2  # levels of attributes of objects that a module holds; deeper ones are seldom settings
_INTERNAL = frozenset(vars(nn.Module()))  # hooks, parameters and submodules, which every module has
_SIMPLE = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.Size)


def key_of(*values: Any) -> bytes:
    """SHA-256 of plain values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).digest()


def model_digest(model: VideoModel) -> str:
    """SHA-256 of a model: its weights as they are now, its structure and settings, and its code."""
    digest = hashlib.sha256(state_digest(model.module).encode())
    for name, module in model.module.named_modules():
        settings = {key: _plain(value) for key, value in sorted(vars(module).items()) if key not in _INTERNAL}
        digest.update(json.dumps([name, _name(type(module)), settings], sort_keys=True).encode())
        for key in sorted(module._non_persistent_buffers_set):  # those that `state_dict` leaves out
            digest.update(key.encode() + _bytes_of(module._buffers.get(key)))
    for content in sorted(_code_of(model.module)):
        digest.update(content.encode())
    digest.update(json.dumps([model.input_name, len(model.classes), model.outputs.kind]).encode())
    if model.part is not None:
        digest.update(repr(model.part).encode())
    if model.box is not None:
        digest.update(repr(model.box).encode())
    return digest.hexdigest()


def preparation_digest(model: VideoModel) -> str:
    """SHA-256 of how clips are cut and prepared: the settings, and what `prepare` makes of two clips of noise."""
    digest = hashlib.sha256(json.dumps(asdict(model.clip_spec), sort_keys=True).encode())
    # a function cannot be compared by its code, which may call anything: so by what it does
    noise = torch.Generator().manual_seed(0)
    for height, width in (model.clip_spec.size or (64, 64), *_PROBE_SIZES):
        clip = torch.randint(0, 256, (model.clip_spec.frames, 3, height, width), dtype=torch.uint8, generator=noise)
        try:
            digest.update(_bytes_of(model.prepare(clip)))
        except Exception as error:  # a function of the user's; it may take one size only
            digest.update(type(error).__name__.encode())
    return digest.hexdigest()


def numerics(model: VideoModel, precision: Precision = "float32") -> dict[str, Any]:
    """What else the last bits depend on, and more than those where products are bfloat16."""
    device = model.device
    on_cpu = device.type == "cpu"
    return {
        "recording": RECORDING,
        "packages": {name: package_version(name) or "" for name in _PACKAGES},
        "device": f"cuda {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type,
        "processor": torch.backends.cpu.get_cpu_capability() if on_cpu else "",
        "threads": torch.get_num_threads() if on_cpu else 0,
        "dtype": str(model.dtype),
        "precision": precision,
        "matmul": torch.get_float32_matmul_precision(),
        "mkldnn": torch.backends.mkldnn.enabled,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


def source_name(source: VideoSource, digest: str) -> list[str]:
    """A source by its content, and by how it is decoded."""
    return [digest, source.kind, source.path.suffix.lower()]


def _plain(value: Any, depth: int = 0) -> Any:
    """A value without what differs from run to run, such as addresses in memory."""
    if isinstance(value, _SIMPLE):
        return repr(value)
    if isinstance(value, Tensor):
        return hashlib.sha256(_bytes_of(value)).hexdigest()
    if isinstance(value, list | tuple):
        return [_plain(item, depth) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item, depth) for key, item in value.items()}
    if isinstance(value, functools.partial):
        return [_plain(value.func, depth), _plain(value.args, depth), _plain(value.keywords, depth)]
    if isinstance(value, type | FunctionType) or callable(value) or isinstance(value, nn.Module):
        return _name(value if hasattr(value, "__qualname__") else type(value))
    if depth < _DEEPEST and hasattr(value, "__dict__"):
        return [_name(type(value)), _plain(vars(value), depth + 1)]
    return _name(type(value))


def _name(value: Any) -> str:
    return getattr(value, "__qualname__", type(value).__qualname__)


def _bytes_of(tensor: Tensor | None) -> bytes:
    if tensor is None:
        return b""
    plain = tensor.detach().cpu().contiguous()
    return f"{plain.dtype} {tuple(plain.shape)}".encode() + plain.reshape(-1).view(torch.uint8).numpy().tobytes()


def _code_of(module: nn.Module) -> Iterator[str]:
    """Digests of the files that define a module's parts, and of those that they take functions from; packages go by version."""
    files: set[str] = set()
    for cls in {cls for submodule in module.modules() for cls in type(submodule).__mro__}:
        for function in vars(cls).values():
            if isinstance(function, FunctionType) and function.__code__.co_filename not in files:
                files.add(function.__code__.co_filename)
                yield from _file_code(function)


def _file_code(function: FunctionType) -> Iterator[str]:
    source = Path(function.__code__.co_filename)
    if _is_packaged(source):
        return
    if not source.is_file():  # typed into a session
        yield hashlib.sha256(function.__code__.co_code + repr(function.__code__.co_consts).encode()).hexdigest()
        return
    yield hashlib.sha256(source.read_bytes()).hexdigest()
    for value in list(function.__globals__.values()):  # one step deep: what the file has imported
        path = _file_of(value)
        if path and not _is_packaged(Path(path)) and Path(path).is_file():
            yield hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _file_of(value: Any) -> str | None:
    if isinstance(value, ModuleType):
        return getattr(value, "__file__", None)
    if isinstance(value, type):
        value = next((method for method in vars(value).values() if isinstance(method, FunctionType)), None)
    return value.__code__.co_filename if isinstance(value, FunctionType) else None


def _is_packaged(path: Path) -> bool:
    """Whether a file belongs to Python, or to an installed package whose version is in the key."""
    for folder in ("site-packages", "dist-packages"):
        if folder in path.parts:
            # other packages hold networks, too (timm, pytorchvideo, a lab's own), which another version computes otherwise
            return path.parts[path.parts.index(folder) + 1] in _PACKAGES
    return any(path.is_relative_to(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))
