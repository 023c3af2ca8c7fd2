"""Mask specs (`maskrcnn:FILE`): the protocol behind each scheme, the schemes of this package, and their registry.

Nothing here imports PyTorch, which takes seconds: `video-tcav audit --help` lists the sources of masks.
"""

import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from video_tcav.core.errors import InputError
from video_tcav.core.registry import Registry, spec_form

if TYPE_CHECKING:
    import torch

    from video_tcav.masks.mask_source import MaskSource

FILES = "files"
"""The source that a plain path means: masks that another program or a person made."""


class MaskLoader(Protocol):
    """Makes the mask sources whose spec is `SCHEME:SOURCE`; subclass it to add a scheme.

    Attributes:
        name: the scheme.
        help: what SOURCE is, such as `FILE`; empty for a scheme that stands alone.
        finds: what the masks are, in a few words.
    """

    name: str
    help: str
    finds: str = ""

    def load(self, source: str, *, threads: int, device: "str | torch.device") -> "MaskSource":
        """The mask source, ready to use.

        Args:
            source: what stands behind the colon; never empty unless `help` is.
            threads: on the CPU.
            device: `auto` takes the first GPU that there is.

        Raises:
            InputError: for a source that is not there, or is none.
        """
        ...


class _Motion(MaskLoader):
    name, help, finds = "motion", "", "what moves; needs no weights"

    def load(self, source: str, *, threads: int, device: Any) -> "MaskSource":
        return pkgutil.resolve_name("video_tcav.masks.motion:MotionMasks")()


class _MaskRCNN(MaskLoader):
    name, help, finds = (
        "maskrcnn",
        "FILE",
        "persons and objects of COCO by torchvision's Mask R-CNN, with those weights",
    )

    def load(self, source: str, *, threads: int, device: Any) -> "MaskSource":
        return pkgutil.resolve_name("video_tcav.masks.mask_rcnn:MaskRCNNMasks")(source, device=device)


class _HuggingFace(MaskLoader):
    name, help, finds = "hf", "FOLDER", "a segmenter of Hugging Face; SAM 2 with ?boxes=DETECTOR"

    def load(self, source: str, *, threads: int, device: Any) -> "MaskSource":
        create = pkgutil.resolve_name("video_tcav.masks.hugging_face:hugging_face_masks")
        return create(source, threads=threads, device=device)


class _Onnx(MaskLoader):
    name, help, finds = "onnx", "FILE", "a segmenter that was exported"

    def load(self, source: str, *, threads: int, device: Any) -> "MaskSource":
        return pkgutil.resolve_name("video_tcav.masks.onnx:OnnxMasks")(source, threads=threads)


class _Boxes(MaskLoader):
    name, help, finds = "boxes", "DETECTOR", "boxes, which hold some of the scene: the last resort"

    def load(self, source: str, *, threads: int, device: Any) -> "MaskSource":
        create = pkgutil.resolve_name("video_tcav.masks.boxes:box_masks")
        return create(source, threads=threads, device=device)


class _Files(MaskLoader):
    name, help, finds = FILES, "PATH", "a folder of PNGs, or COCO with run lengths; the path alone will do"

    def load(self, source: str, *, threads: int, device: Any) -> "MaskSource":
        return pkgutil.resolve_name("video_tcav.masks.paths:masks_from_files")(Path(source))


MOTION, MASK_RCNN, HUGGING_FACE, ONNX, BOXES, OF_FILES = (
    _Motion(),
    _MaskRCNN(),
    _HuggingFace(),
    _Onnx(),
    _Boxes(),
    _Files(),
)
MASK_SOURCES: Registry[MaskLoader] = Registry(
    "video_tcav.mask_sources",
    "masks",
    {
        "motion": f"{__name__}:MOTION",
        "maskrcnn": f"{__name__}:MASK_RCNN",
        "hf": f"{__name__}:HUGGING_FACE",
        "onnx": f"{__name__}:ONNX",
        "boxes": f"{__name__}:BOXES",
        FILES: f"{__name__}:OF_FILES",
    },
    members=("name", "help", "finds", "load"),
)


def parse_mask_source(
    spec: "str | Path | MaskSource", *, threads: int = 2, device: "str | torch.device" = "auto"
) -> "MaskSource":
    """The mask source that a spec names.

    Args:
        spec: `motion`, `maskrcnn:FILE`, `hf:FOLDER`, `onnx:FILE`, `boxes:DETECTOR`, the path of a folder of PNGs or of a COCO
            JSON file, a scheme that another package adds, or a `MaskSource`, which is returned as it is.
        threads: on the CPU.
        device: where networks run; `auto` takes the first GPU that there is.

    Raises:
        InputError: for a spec that is not known, or a path that is not there.
        MissingExtraError: if what it needs is not installed.
        ModelError: if it is no segmenter.
        WeightsError: if its weights cannot be read safely.
    """
    if not isinstance(spec, str | Path):
        return spec
    scheme, separator, source = str(spec).partition(":")
    if scheme in MASK_SOURCES.names():
        loader = MASK_SOURCES[scheme]
        if source if loader.help else not separator:
            return loader.load(source, threads=threads, device=device)
    elif Path(spec).exists():
        return MASK_SOURCES[FILES].load(str(spec), threads=threads, device=device)
    raise InputError(
        f"`masks` must be {mask_source_help()}, or a path that exists. Got {str(spec)!r}. Write, for example, motion."
    )


def mask_source_help(*, finds: bool = False) -> str:
    """All forms of a spec for messages and help texts, and what each `finds`: `motion, maskrcnn:FILE, …`."""
    return ", ".join(spec_form(MASK_SOURCES, name, finds=finds) for name in MASK_SOURCES.names())
