"""The loaders of this package: torchvision, Hugging Face, a Python file, the rendered world.

Each names its function as `module:function`, imported on first use: PyTorch and transformers take seconds.
"""

import pkgutil
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from video_tcav.models.loaders.loader import ModelLoader

if TYPE_CHECKING:
    from video_tcav.models.video_model import VideoModel


class _DeferredLoader(ModelLoader):
    function: str

    def load(self, source: str, **options: Any) -> "VideoModel":
        return pkgutil.resolve_name(self.function)(source, **options)


class _PathLoader(_DeferredLoader):
    """Sources are paths, or have their form (`user/model`): reports name models by the last component."""

    def short_name(self, source: str) -> str:
        return re.split(r"[/\\]", source)[-1]


class _Torchvision(_DeferredLoader):
    name, help = "torchvision", "NAME"
    function = "video_tcav.models.loaders.torchvision_zoo:load_torchvision"


class _HuggingFace(_PathLoader):
    name, help = "hf", "ID or FOLDER"
    function = "video_tcav.models.loaders.hugging_face:load_huggingface"

    def is_path(self, source: str, folder: Path) -> bool:
        return (folder / source).is_dir()


class _PythonFile(_PathLoader):
    name, help = "file", "PATH.py:FACTORY"
    function = "video_tcav.models.loaders.python_file:load_file"
    has_trial = True

    def is_path(self, source: str, folder: Path) -> bool:
        return True


class _Rendered(_DeferredLoader):
    name, help = "rendered", "NAME"
    function = "video_tcav.rendered.models:load_rendered"


TORCHVISION, HUGGING_FACE, PYTHON_FILE, RENDERED = _Torchvision(), _HuggingFace(), _PythonFile(), _Rendered()
