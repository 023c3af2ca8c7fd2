"""Models from a user's Python file: any network that a function builds."""

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import torch
from torch import nn

from video_tcav.core.checks import closest_hint
from video_tcav.core.errors import ModelError
from video_tcav.core.limits import LimitError, check_regular
from video_tcav.models.error_lines import typed_first_line
from video_tcav.models.loaders.networks import describe_network
from video_tcav.models.video_model import VideoModel, state_digest
from video_tcav.models.weights.loading import metadata_classes, read_weights

_MODULE_PREFIX = "_video_tcav_model_"


def load_file(
    source: str,
    *,
    weights: str | None,
    fields: Mapping[str, Any],
    classes: tuple[str, ...] | None,
    allow_impure: bool = False,
    head: str | None = None,
    at_time: float | None = None,
    at_box: str | Sequence[float] | None = None,
) -> VideoModel:
    """Loader of `file:path/to/model.py:function`; arguments as in `ModelLoader.load` and `load_model`.

    The file runs as Python: load only files that you trust. Its folder can be imported from while it runs. The function gets
    `num_classes` if it takes that and the classes are known. The metadata of safetensors weights may hold `classes` (a JSON
    list) and clip settings.

    Returns:
        The model on the CPU. Without `weights` the factory is called a second time: where both calls give the same
        weights it loads them itself, otherwise they are random and the model is marked as untrained.
    """
    path, factory = split_factory(source)
    content = None if weights is None else read_weights(weights)
    classes = classes or metadata_classes(content)
    offered = {} if classes is None else {"num_classes": len(classes)}
    module, trained = build_network(path, factory, offered=offered, has_weights=content is not None)
    name = f"file:{path}:{factory}"
    return describe_network(
        module,
        content,
        name=name,
        fields=fields,
        classes=classes,
        trained=trained,
        allow_impure=allow_impure,
        head=head,
        at_time=at_time,
        at_box=at_box,
    )


def build_network(
    path: Path, factory: str, *, offered: Mapping[str, Any], forced: Mapping[str, Any] | None = None, has_weights: bool
) -> tuple[nn.Module, bool]:
    """The network that a function of a file builds, and whether it is trained; see `call_factory`.

    Without weights of its own (`has_weights`) the function is called a second time: random initialisation differs between seeds,
    weights that it loads do not.
    """
    module = _build(path, factory, offered, forced or {}, seed=0)
    if has_weights:
        return module, True
    return module, state_digest(module) == state_digest(_build(path, factory, offered, forced or {}, seed=1))


def split_factory(source: str, *, argument: str = "model") -> tuple[Path, str]:
    """File and function of `path/to/model.py:function`; errors call the argument by `argument`.

    Raises:
        ModelError: for another form.
    """
    filename, _, factory = source.rpartition(":")
    if not filename or not factory.isidentifier():
        raise ModelError(
            f"`{argument}` must name a file and a function. Got 'file:{source}'. Write file:path/to/{argument}.py:function."
        )
    return Path(filename), factory


def call_factory(
    path: Path,
    factory: str,
    *,
    argument: str = "model",
    seed: int = 0,
    offered: Mapping[str, Any],
    forced: Mapping[str, Any] = MappingProxyType({}),
) -> Any:
    """What a function of a file builds; its folder can be imported from while it runs.

    Args:
        path: of the file.
        factory: name of the function.
        argument: what errors call the argument.
        seed: of random initialisation.
        offered: arguments, of which the function gets those that it takes by name.
        forced: arguments that it gets also where it has no parameter of that name, but takes any.

    Raises:
        ModelError: if there is no such file or function, or it fails.
    """
    with torch.random.fork_rng(devices=[]), _importable(path.parent):
        torch.manual_seed(seed)
        imported = _import(path, argument)
        build = getattr(imported, factory, None)
        if not callable(build):
            functions = _functions(imported)
            hint = closest_hint(factory, functions) if functions else "It has none: write one."
            raise ModelError(f"`{argument}` must name a function in {path}. Got {factory!r}, which is none. {hint}")
        try:
            parameters = inspect.signature(build).parameters
        except (TypeError, ValueError):  # a builtin without a signature
            parameters = {}
        options = {name: value for name, value in offered.items() if name in parameters} | dict(forced)
        try:
            return build(**options)
        except Exception as reason:  # any error of the user's code
            raise ModelError(
                f"`{argument}` must name a function that can be called. Got {typed_first_line(reason)} from {path}:{factory}."
                " Call it by itself to see why."
            ) from reason


def _build(path: Path, factory: str, offered: Mapping[str, Any], forced: Mapping[str, Any], *, seed: int) -> nn.Module:
    module = call_factory(path, factory, seed=seed, offered=offered, forced=forced)
    if not isinstance(module, nn.Module):
        raise ModelError(
            f"`model` must name a function that returns a torch.nn.Module. Got {type(module).__name__} from"
            f" {path}:{factory}. Return the network."
        )
    return module


def _functions(module: ModuleType) -> list[str]:
    """What a factory can be: functions and classes without an underscore, those imported from elsewhere in the folder as well."""
    public = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    return sorted(name for name, value in public.items() if inspect.isfunction(value) or _is_network(value))


def _is_network(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, nn.Module)


def _import(path: Path, argument: str) -> ModuleType:
    # One name a file, so that models of two files do not overwrite each other.
    name = f"{_MODULE_PREFIX}{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = None
    with suppress(OSError, LimitError):
        check_regular(path)
        spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ModelError(f"`{argument}` must name a Python file. Got {path}, which is none. Check the path.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as reason:  # any error of the user's code
        del sys.modules[name]
        raise ModelError(
            f"`{argument}` must name a file that can be imported. Got {typed_first_line(reason)} from {path}."
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
            if inside and not name.startswith(_MODULE_PREFIX):
                del sys.modules[name]
