"""Model loaders: the protocol behind each scheme of a model spec (`torchvision:NAME`), the built-in ones and their registry.

Nothing here imports PyTorch: `video-tcav --help` lists the loaders.
"""

import pkgutil
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from video_tcav.core.errors import PluginError
from video_tcav.core.registry import Registry

if TYPE_CHECKING:
    from video_tcav.models.video_model import VideoModel


OUTPUT_OPTIONS = frozenset({"head", "at_time", "at_box"})
"""Options of `load_model` that pick a part of what a network returns."""


class ModelLoader(Protocol):
    """Loads models whose spec is `SCHEME:SOURCE`; subclass it to add a scheme.

    Attributes:
        name: the scheme.
        help: what SOURCE is, in one line: `NAME`, or `PATH.py:FACTORY`.
        has_trial: whether `load` passes a trial clip itself; otherwise one is passed where options change frames, size or
            outputs.
        takes: options of `load_model` beyond those of all loaders, which `load` gets as keywords where they are given:
            `classes_text`, `adapter`, `probe`, `head`, `at_time`, `at_box`.
    """

    name: str
    help: str
    has_trial: bool = False
    takes: Collection[str] = frozenset()

    def load(
        self,
        source: str,
        *,
        weights: str | None,
        fields: Mapping[str, Any],
        classes: tuple[str, ...] | None,
        allow_impure: bool,
        **extras: Any,
    ) -> "VideoModel":
        """The model on the CPU, in evaluation mode.

        Args:
            source: what stands behind the colon; never empty.
            weights: file of tensors, or name of published weights; `None` for the loader's default.
            fields: clip settings (fields of `ClipSpec`, and `outputs`) that win over all others.
            classes: names of the outputs that win over all others.
            allow_impure: take a network that is not repeatable.
            **extras: options in `takes` that were given.

        Raises:
            ModelError: if the source leads to no usable model.
        """
        ...

    def is_path(self, source: str, folder: Path) -> bool:
        """Whether the source is a path, which an experiment file in `folder` means relative to itself."""
        return False

    def short_name(self, source: str) -> str:
        """What reports call a model without a name."""
        return f"{self.name}:{source}"


class _BuiltinLoader(ModelLoader):
    function: str  # `module:function`, imported on first use: PyTorch and transformers take seconds

    def load(self, source: str, **options: Any) -> "VideoModel":
        return pkgutil.resolve_name(self.function)(source, **options)


class _PathLoader(_BuiltinLoader):
    """Sources are paths, or have their form (`user/model`): reports name models by the last component."""

    def short_name(self, source: str) -> str:
        return re.split(r"[/\\]", source)[-1]


class _Torchvision(_BuiltinLoader):
    name, help = "torchvision", "NAME"
    function = "video_tcav.models.loaders.torchvision_zoo:load_torchvision"


class _HuggingFace(_PathLoader):
    name, help = "hf", "ID or FOLDER"
    function = "video_tcav.models.loaders.hugging_face:load_huggingface"
    takes = frozenset({"classes_text", "adapter", "probe"})

    def is_path(self, source: str, folder: Path) -> bool:
        return (folder / source).is_dir()


class _PythonFile(_PathLoader):
    name, help = "file", "PATH.py:FACTORY"
    function = "video_tcav.models.loaders.python_file:load_file"
    takes = OUTPUT_OPTIONS
    has_trial = True

    def is_path(self, source: str, folder: Path) -> bool:
        return True


class _Hub(_PathLoader):
    name, help = "hub", "FOLDER:ENTRY"
    function = "video_tcav.models.loaders.hub_checkout:load_hub"
    takes = OUTPUT_OPTIONS
    has_trial = True

    def is_path(self, source: str, folder: Path) -> bool:
        return True


class _Timm(_BuiltinLoader):
    name, help = "timm", "NAME"
    function = "video_tcav.models.loaders.timm_frames:load_timm"
    has_trial = True
    takes = frozenset({"head"})


class _Mmaction(_PathLoader):
    name, help = "mmaction", "CONFIG.py"
    function = "video_tcav.models.loaders.mmaction.loader:load_mmaction"

    def is_path(self, source: str, folder: Path) -> bool:
        return True


class _Onnx(_PathLoader):
    name, help = "onnx", "PATH.onnx"
    function = "video_tcav.models.loaders.onnx_graph:load_onnx"
    has_trial = True

    def is_path(self, source: str, folder: Path) -> bool:
        return True


class _Rendered(_BuiltinLoader):
    name, help = "rendered", "NAME"
    function = "video_tcav.rendered.models:load_rendered"


TORCHVISION, HUGGING_FACE, PYTHON_FILE, HUB, TIMM, MMACTION, ONNX, RENDERED = (
    _Torchvision(),
    _HuggingFace(),
    _PythonFile(),
    _Hub(),
    _Timm(),
    _Mmaction(),
    _Onnx(),
    _Rendered(),
)
LOADERS: Registry[ModelLoader] = Registry(
    "video_tcav.models",
    "model",
    {
        "torchvision": f"{__name__}:TORCHVISION",
        "hf": f"{__name__}:HUGGING_FACE",
        "file": f"{__name__}:PYTHON_FILE",
        "hub": f"{__name__}:HUB",
        "timm": f"{__name__}:TIMM",
        "mmaction": f"{__name__}:MMACTION",
        "onnx": f"{__name__}:ONNX",
        "rendered": f"{__name__}:RENDERED",
    },
    members=("name", "help", "has_trial", "load", "is_path", "short_name"),
)


def spec_help() -> str:
    """All forms of a model spec for help texts: `torchvision:NAME, hf:ID or FOLDER, … or rendered:NAME`."""
    forms = [f"{name}:{_source_help(name)}" for name in LOADERS.names()]
    return f"{', '.join(forms[:-1])}, or {forms[-1]}"


def _source_help(name: str) -> str:
    try:
        return LOADERS[name].help
    except PluginError:  # help must also be printed beside a broken plug-in; loading such a model says what is wrong
        return "..."
