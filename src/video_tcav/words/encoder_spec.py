"""Encoder specs (`hf:FOLDER`): the protocol behind each scheme, the schemes of this package, and their registry.

Nothing here imports PyTorch, which takes seconds: the help of commands lists the encoders.
"""

import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from video_tcav.core.errors import InputError
from video_tcav.core.files import beside
from video_tcav.core.registry import Registry, spec_form

if TYPE_CHECKING:
    import torch

    from video_tcav.words.encoder import TextVideoEncoder


class EncoderLoader(Protocol):
    """Makes the encoders whose spec is `SCHEME:SOURCE`; subclass it to add a scheme.

    Attributes:
        name: the scheme.
        help: what SOURCE is, such as `ID or FOLDER`.
    """

    name: str
    help: str

    def load(self, source: str, *, device: "str | torch.device") -> "TextVideoEncoder":
        """The encoder, ready to use.

        Args:
            source: what stands behind the colon; never empty.
            device: where it runs; `auto` takes the first GPU that there is.

        Raises:
            ModelError: if the source leads to no usable encoder.
        """
        ...

    def beside(self, source: str, folder: Path) -> str:
        """A source as a settings file in `folder` means it; a name stays as it is, a path is relative to that folder."""
        return source


class _BuiltinLoader(EncoderLoader):
    function: str  # `module:function`, imported on first use

    def load(self, source: str, *, device: "str | torch.device") -> "TextVideoEncoder":
        return pkgutil.resolve_name(self.function)(source, device=device)


class _HuggingFace(_BuiltinLoader):
    name, help = "hf", "ID or FOLDER"
    function = "video_tcav.words.hf_encoder:HuggingFaceEncoder"

    def beside(self, source: str, folder: Path) -> str:
        # an id of the hub looks like a path of two parts
        near = beside(source, folder)
        return near if Path(near).expanduser().exists() else source


class _OpenClip(_BuiltinLoader):
    name, help = "open_clip", "ARCHITECTURE,weights=FILE"
    function = "video_tcav.words.open_clip_encoder:OpenClipEncoder"

    def beside(self, source: str, folder: Path) -> str:
        architecture, mark, weights = source.partition(",weights=")
        return f"{architecture}{mark}{beside(weights, folder)}" if weights else source


class _PythonFile(_BuiltinLoader):
    name, help = "file", "PATH.py:FUNCTION"
    function = "video_tcav.words.file_encoder:load_encoder_file"

    def beside(self, source: str, folder: Path) -> str:
        return beside(source, folder)


HUGGING_FACE, OPEN_CLIP, PYTHON_FILE = _HuggingFace(), _OpenClip(), _PythonFile()
TEXT_ENCODERS: Registry[EncoderLoader] = Registry(
    "video_tcav.text_encoders",
    "encoder",
    {
        "hf": f"{__name__}:HUGGING_FACE",
        "open_clip": f"{__name__}:OPEN_CLIP",
        "file": f"{__name__}:PYTHON_FILE",
    },
    members=("name", "help", "load"),
)


def load_encoder(spec: str, *, device: "str | torch.device" = "auto") -> "TextVideoEncoder":
    """The encoder that a spec names.

    Args:
        spec: `hf:ID` or `hf:FOLDER` (CLIP and SigLIP by the mean over frames, X-CLIP, VideoPrism), `open_clip:ARCHITECTURE` with
            `,weights=FILE`, `file:PATH.py:FUNCTION` for any other, or a scheme that another package adds.
        device: where it runs; `auto` takes the first GPU that there is.

    Raises:
        InputError: for a spec or device that is not known.
        MissingExtraError: if what it needs is not installed.
        ModelError: if it is no encoder of clips and texts.
        WeightsError: if its weights cannot be read safely, or are not all there.
    """
    scheme, _, source = spec.partition(":")
    if scheme not in TEXT_ENCODERS.names() or not source:
        raise InputError(
            f"`encoder` must be {encoder_help()}. Got {spec!r}. Write, for example, hf:microsoft/xclip-base-patch32."
        )
    return TEXT_ENCODERS[scheme].load(source, device=device)


def encoder_beside(spec: str, folder: Path) -> str:
    """An encoder spec whose paths are relative to `folder`, that of the settings file which names it."""
    scheme, _, source = spec.partition(":")
    known = scheme in TEXT_ENCODERS.names() and source
    return f"{scheme}:{TEXT_ENCODERS[scheme].beside(source, folder)}" if known else spec


def encoder_help() -> str:
    """All forms of an encoder spec for messages and help texts: `hf:ID or FOLDER, … or file:PATH.py:FUNCTION`."""
    *forms, last = (spec_form(TEXT_ENCODERS, name) for name in TEXT_ENCODERS.names())
    return f"{', '.join(forms)}, or {last}"
