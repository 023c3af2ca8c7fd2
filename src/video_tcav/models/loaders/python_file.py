"""Models from the user's own Python file: any network, with the clip that it asks for."""

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from video_tcav.core.errors import ModelError
from video_tcav.core.limits import LimitError, check_regular
from video_tcav.models.loaders.unknown_networks import describe_weights
from video_tcav.models.trial_pass import first_line
from video_tcav.models.video_model import VideoModel, state_digest
from video_tcav.models.weights.loading import read_weights
from video_tcav.models.weights.metadata import metadata_classes


def load_file(
    source: str,
    *,
    weights: str | None,
    fields: Mapping[str, Any],
    classes: tuple[str, ...] | None,
    allow_impure: bool = False,
) -> VideoModel:
    """The network that a function in a Python file builds.

    The file runs as Python: load only files that you trust. Its folder can be imported from while it runs.

    Args:
        source: `path/to/model.py:function`; the function gets `num_classes` if it takes that and the classes are known.
        weights: a weights file; the metadata of safetensors may hold `classes` (a JSON list) and clip settings.
        fields: see `ModelLoader.load`.
        classes: see `ModelLoader.load`.
        allow_impure: see `ModelLoader.load`.

    Returns:
        The model on the CPU. Without `weights` the factory is called a second time: where both calls give the same
        weights it loads them itself, otherwise they are random and the model is marked as untrained.

    Raises:
        ModelError: if the file or the factory fails, or gives no usable network.
        WeightsError: if the weights cannot be read or do not fit.
        InputError: if the number of classes differs from the outputs.
    """
    filename, _, factory = source.rpartition(":")
    if not filename or not factory.isidentifier():
        raise ModelError(
            f"`model` must name a file and a function. Got 'file:{source}'. Write file:path/to/model.py:function."
        )
    path = Path(filename)
    content = None if weights is None else read_weights(weights)
    classes = classes or metadata_classes(content)
    module = _build(path, factory, classes, seed=0)
    # Random initialisation differs between seeds; weights that the factory loads do not.
    trained = content is not None or state_digest(module) == state_digest(_build(path, factory, classes, seed=1))
    name = f"file:{path}:{factory}"
    return describe_weights(
        module, content, name=name, fields=fields, classes=classes, trained=trained, allow_impure=allow_impure
    )


def _build(path: Path, factory: str, classes: tuple[str, ...] | None, *, seed: int) -> nn.Module:
    try:
        check_regular(path)
    except (OSError, LimitError) as reason:
        raise ModelError(f"`model` must name a Python file. Got {path}, which is none. Check the path.") from reason
    with torch.random.fork_rng(devices=[]), _importable(path.parent):
        torch.manual_seed(seed)
        build = getattr(_import(path), factory, None)
        if not callable(build):
            raise ModelError(
                f"`model` must name a function in {path}. Got {factory!r}, which is none."
                " Write file:path/to/model.py:function."
            )
        try:
            module = build(**_arguments(build, classes))
        except Exception as reason:  # any error of the user's code
            raise ModelError(
                f"`model` must name a function that builds a network. Got {first_line(reason)} from {path}:{factory}."
                " Call it by itself to see why."
            ) from reason
    if not isinstance(module, nn.Module):
        raise ModelError(
            f"`model` must name a function that returns a torch.nn.Module. Got {type(module).__name__} from"
            f" {path}:{factory}. Return the network."
        )
    return module


def _arguments(build: Any, classes: tuple[str, ...] | None) -> dict[str, int]:
    try:
        takes = "num_classes" in inspect.signature(build).parameters
    except (TypeError, ValueError):  # a builtin without a signature
        takes = False
    return {"num_classes": len(classes)} if takes and classes is not None else {}


def _import(path: Path) -> ModuleType:
    name = f"_video_tcav_model_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise ModelError(f"`model` must name a Python file. Got {path}, which is none. Check the path.")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except Exception as reason:  # any error of the user's code
        del sys.modules[name]
        raise ModelError(
            f"`model` must name a file that can be imported. Got {first_line(reason)} from {path}."
            " Run it with python to see why."
        ) from reason
    return module


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """The folder's modules can be imported inside, and are forgotten after: another model may have the same names."""
    before, search = set(sys.modules), str(folder.resolve())
    sys.path.insert(0, search)
    try:
        yield
    finally:
        if search in sys.path:
            sys.path.remove(search)
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            inside = file is not None and Path(file).resolve().is_relative_to(search)
            if inside and not name.startswith("_video_tcav_model_"):
                del sys.modules[name]
