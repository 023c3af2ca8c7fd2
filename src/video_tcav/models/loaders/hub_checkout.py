"""torch.hub checkouts: a local folder with hubconf.py, and the published clips of the entries of pytorchvideo and Hiera."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from video_tcav.core.errors import ModelError
from video_tcav.models.loaders.networks import describe_network
from video_tcav.models.loaders.python_file import build_network
from video_tcav.models.video_model import VideoModel
from video_tcav.models.weights.loading import metadata_classes, read_weights

PRETRAINED = "DEFAULT"
"""What `weights` is where the entry loads its own, as torchvision calls its published weights."""
_FPS = 30.0  # to which the published sampling rates refer (frames_per_second of the tutorials)


@dataclass(frozen=True, kw_only=True)
class HubEntry:
    """What is published of an entry, and not held by its network.

    Attributes:
        frames: in a clip.
        rate: every so many frames, at 30 a second.
        size: pixels of the crop; the shorter side is resized to as many, unless `resize` says otherwise.
        resize: shorter side before the crop.
        width: keyword of the number of outputs, which entries pass on.
    """

    frames: int
    rate: int
    size: int
    resize: int | None = None
    width: str = "model_num_class"

    @property
    def fields(self) -> dict[str, Any]:
        """As clip settings; mean and deviation are those that pytorchvideo and PySlowFast train with."""
        fields: dict[str, Any] = {"frames": self.frames, "fps": _FPS / self.rate, "size": (self.size, self.size)}
        fields |= {"mean": (0.45,) * 3, "std": (0.225,) * 3, "layout": "channels_first"}
        return fields if self.resize is None else fields | {"resize": self.resize}


# Frames and rate: pytorchvideo, docs/source/model_zoo.md ("frame length x sample rate"). Sizes: tutorials/torchhub_inference and
# the pages of these networks on pytorch.org/hub; for CSN and R(2+1)D, what the pooling of their heads is built for. X3D-L:
# PySlowFast, configs/Kinetics/X3D_L.yaml.
ENTRIES: Mapping[str, HubEntry] = {
    **dict.fromkeys(("c2d_r50", "i3d_r50", "slow_r50"), HubEntry(frames=8, rate=8, size=256)),
    "csn_r101": HubEntry(frames=32, rate=2, size=224, resize=256),
    "r2plus1d_r50": HubEntry(frames=16, rate=4, size=224, resize=256),
    **dict.fromkeys(("slowfast_r50", "slowfast_r101"), HubEntry(frames=32, rate=2, size=256)),
    # the tutorial of detection on AVA, and the names of its checkpoints: 4x16, and 8x8 in the slow pathway
    "slow_r50_detection": HubEntry(frames=4, rate=16, size=256),
    "slowfast_r50_detection": HubEntry(frames=32, rate=2, size=256),
    "slowfast_16x8_r101_50_50": HubEntry(frames=64, rate=2, size=256),
    "x3d_xs": HubEntry(frames=4, rate=12, size=182),
    "x3d_s": HubEntry(frames=13, rate=6, size=182),
    "x3d_m": HubEntry(frames=16, rate=5, size=256),
    "x3d_l": HubEntry(frames=16, rate=5, size=312),
    "mvit_base_16x4": HubEntry(frames=16, rate=4, size=224, resize=256, width="head_num_classes"),
    "mvit_base_32x3": HubEntry(frames=32, rate=3, size=224, resize=256, width="head_num_classes"),
    # Hiera names no preprocessing of videos: mean and deviation are those common in PySlowFast.
    **dict.fromkeys(
        (f"hiera_{size}_16x224" for size in ("base", "base_plus", "large", "huge")),
        HubEntry(frames=16, rate=4, size=224, resize=256, width="num_classes"),
    ),
}


def load_hub(
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
    """Loader of `hub:FOLDER:ENTRY`; arguments as in `ModelLoader.load` and `load_model`.

    The folder's hubconf.py runs as Python, as what it imports does: load only checkouts that you trust. Nothing is fetched from
    GitHub. The entry is asked for its own weights (`pretrained=True`) where `weights` is `DEFAULT`, and only then; without
    `weights` they are random, unless it loads some unasked.
    """
    folder, _, name = source.rpartition(":")
    if not folder or not name.isidentifier():
        raise ModelError(
            f"`model` must name a torch.hub checkout and an entry. Got 'hub:{source}'. Write hub:FOLDER:ENTRY."
        )
    path, entry = Path(folder) / "hubconf.py", ENTRIES.get(name)
    if not path.is_file():
        raise ModelError(
            f"`model` must name a folder with hubconf.py. Got {folder}, which has none. Give a checkout of the repository."
        )
    is_pretrained = weights == PRETRAINED
    content = None if weights is None or is_pretrained else read_weights(weights)
    classes = classes or metadata_classes(content)
    width = "num_classes" if entry is None else entry.width
    forced: dict[str, Any] = {"pretrained": True} if is_pretrained else {}
    # Entries with published networks pass keywords on; whether another one does is not known.
    offered: dict[str, Any] = {} if is_pretrained else {"pretrained": False}
    if classes is not None and not is_pretrained:
        (offered if entry is None else forced)[width] = len(classes)
    module, trained = build_network(path, name, offered=offered, forced=forced, has_weights=content is not None)
    if is_pretrained and not trained:  # an entry may take the word, and do nothing with it
        raise ModelError(
            f"`weights` must be a file where an entry loads none of its own. Got {PRETRAINED} for hub:{source}, whose weights are"
            " random. Give --weights FILE."
        )
    return describe_network(
        module,
        content,
        name=f"hub:{source}",
        fields=fields,
        classes=classes,
        trained=trained,
        allow_impure=allow_impure,
        head=head,
        at_time=at_time,
        at_box=at_box,
        published={} if entry is None else entry.fields,
    )
