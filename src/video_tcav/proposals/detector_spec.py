"""Detector specs (`onnx:FILE`): the protocol behind each scheme, the schemes of this package, and their registry.

Nothing here imports PyTorch, which takes seconds: `video-tcav propose --help` lists the detectors.
"""

import pkgutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from video_tcav.core.errors import InputError
from video_tcav.core.registry import Registry, spec_form

if TYPE_CHECKING:
    import torch

    from video_tcav.proposals.detector import Detector


class DetectorLoader(Protocol):
    """Makes the detectors whose spec is `SCHEME:SOURCE`; subclass it to add a scheme.

    Attributes:
        name: the scheme.
        help: what SOURCE is, such as `FILE`; empty for a scheme that stands alone.
        finds: what the detectors find, in a few words.
        takes_device: whether they run on the device that is asked for; if not, on the CPU.
    """

    name: str
    help: str
    finds: str = ""
    takes_device: bool = False

    def load(
        self, source: str, *, labels: Sequence[str] | None, threads: int, device: "str | torch.device"
    ) -> "Detector":
        """The detector, ready to use.

        Args:
            source: what stands behind the colon; never empty unless `help` is.
            labels: what to find; everything that the detector knows if `None`.
            threads: on the CPU.
            device: `auto` takes the first GPU that there is.

        Raises:
            InputError: for a source or label that is not known.
        """
        ...


class _Motion(DetectorLoader):
    name, help, finds = "motion", "", "finds what moves"

    def load(self, source: str, *, labels: Any, threads: int, device: Any) -> "Detector":
        return pkgutil.resolve_name("video_tcav.proposals.motion:MotionDetector")(labels=labels)


class _Onnx(DetectorLoader):
    name, help, finds = "onnx", "FILE", "a YOLO or YOLOX export, ?classes=FILE for its class names"

    def load(self, source: str, *, labels: Any, threads: int, device: Any) -> "Detector":
        path, classes = split_option(self.name, source, "classes")
        create = pkgutil.resolve_name("video_tcav.proposals.onnx:OnnxDetector")
        return create(path, classes=classes, labels=labels, threads=threads)


class _Torchvision(DetectorLoader):
    name, help, finds = "torchvision", "NAME", "classes of COCO, ?weights=FILE for weights of your own"
    takes_device = True

    def load(self, source: str, *, labels: Any, threads: int, device: Any) -> "Detector":
        architecture, weights = split_option(self.name, source, "weights")
        create = pkgutil.resolve_name("video_tcav.proposals.torchvision_detector:TorchvisionDetector")
        return create(architecture, weights=weights, labels=labels, device=device)


class _HuggingFace(DetectorLoader):
    name, help, finds = "hf", "ID or FOLDER", "finds what --label says"
    takes_device = True

    def load(self, source: str, *, labels: Any, threads: int, device: Any) -> "Detector":
        checkpoint, _ = split_option(self.name, source, "")
        create = pkgutil.resolve_name("video_tcav.proposals.hf_detector:HuggingFaceDetector")
        return create(checkpoint, labels=labels, device=device)


def split_option(
    scheme: str, source: str, option: str, *, value: str = "FILE", argument: str = "detector"
) -> tuple[str, str | None]:
    """`SOURCE?OPTION=VALUE` as source and value; `None` without an option. Errors call the spec `argument`."""
    name, _, query = source.partition("?")
    key, _, content = query.partition("=")
    if not name or (query and (key != option or not content)):
        allowed = f"?{option}={value}" if option else "no option"
        raise InputError(f"`{argument}` must have {allowed} behind {scheme}:{name}. Got ?{query}. Correct it.")
    return name, content or None


MOTION, ONNX, TORCHVISION, HUGGING_FACE = _Motion(), _Onnx(), _Torchvision(), _HuggingFace()
DETECTORS: Registry[DetectorLoader] = Registry(
    "video_tcav.detectors",
    "detector",
    {
        "motion": f"{__name__}:MOTION",
        "onnx": f"{__name__}:ONNX",
        "torchvision": f"{__name__}:TORCHVISION",
        "hf": f"{__name__}:HUGGING_FACE",
    },
    members=("name", "help", "finds", "takes_device", "load"),
)


def parse_detector(
    spec: str, labels: Sequence[str] | None = None, *, threads: int = 2, device: "str | torch.device" = "auto"
) -> "Detector":
    """The detector that a spec names.

    Args:
        spec: `onnx:FILE` (`?classes=FILE`), `torchvision:NAME` (`?weights=FILE`), `hf:ID` or `hf:FOLDER`, `motion`, or a
            scheme that another package adds.
        labels: what to find; everything that it knows if not given. Free text for `hf:`, which needs some.
        threads: of onnxruntime.
        device: where torchvision's and Hugging Face's detectors run; `auto` takes the first GPU that there is.

    Raises:
        InputError: for a spec, label or device that is not known.
        MissingExtraError: if what it needs is not installed.
        ModelError: if it is no detector.
        WeightsError: if its weights cannot be read safely.
    """
    loader, source = find_loader(spec)
    return loader.load(source, labels=labels, threads=threads, device=device)


def find_loader(spec: str) -> tuple[DetectorLoader, str]:
    """The loader of a spec's scheme, and the source behind the colon; refuses a source that is missing or too much."""
    scheme, separator, source = spec.partition(":")
    if scheme in DETECTORS.names():
        loader = DETECTORS[scheme]
        if source if loader.help else not separator:
            return loader, source
    raise InputError(
        f"`detector` must be {detector_help()}. Got {spec!r}."
        " Write, for example, onnx:yolox_nano.onnx?classes=coco.txt."
    )


def detector_help(*, finds: bool = False) -> str:
    """All forms of a detector spec for messages and help texts, and what each `finds`: `motion, onnx:FILE, … or hf:ID`."""
    *forms, last = (spec_form(DETECTORS, name, finds=finds) for name in DETECTORS.names())
    return f"{', '.join(forms)}, or {last}"
