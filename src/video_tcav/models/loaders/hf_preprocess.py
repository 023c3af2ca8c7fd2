"""Preprocessing by Hugging Face's processors, and the clip spec that they imply."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import ModelError
from video_tcav.core.files import read_json
from video_tcav.models.error_lines import first_line
from video_tcav.models.loaders.hf_config import huggingface_hub, transformers

PROCESSOR_FILES = ("video_preprocessor_config.json", "preprocessor_config.json")
IMAGE_PROCESSORS = {
    "videomae": "VideoMAEImageProcessor",
    "timesformer": "VideoMAEImageProcessor",
    "vivit": "VivitImageProcessor",
    "videoprism_vision_model": "LlavaOnevisionVideoProcessor",
}
VIDEO_PROCESSORS = tuple(
    f"{family}VideoProcessor" for family in ("VideoMAE", "Timesformer", "Vivit", "VJEPA2", "LlavaOnevision")
)
"""`LlavaOnevisionVideoProcessor` is what VideoPrism's checkpoints name as theirs."""
_PLAIN_PROCESSORS = tuple(
    f"{family}ImageProcessor" for family in ("VideoMAE", "Vivit", "CLIP", "ViT", "DeiT", "Siglip", "Bit")
)
"""Processors of images that resize, crop, scale and normalise, and do nothing else that a clip spec could not say."""


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars of loaded tensors and no advice on the terminal inside; as before outside."""
    logging, hub = transformers.utils.logging, huggingface_hub.utils.logging
    level, hub_level, bars = logging.get_verbosity(), hub.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    hub.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        hub.set_verbosity(hub_level)
        if bars:
            logging.enable_progress_bar()


def load_processor(source: str, family: str, size: tuple[int, int]) -> tuple[Any, str]:
    """The processor that is published with a model, or its family's default at the model's `(height, width)`.

    With it comes a note where it is not in the model's own folder; empty otherwise.
    """
    try:
        path = _processor_file(source)
        if path is None:
            return _default_processor(family, size), _assumed(family, size)
        settings = read_json(path)
        if not isinstance(settings, dict):
            raise ValueError(f"no object in {path.name}")
        is_above = Path(source).is_dir() and path.parent != Path(source)
        processor = getattr(transformers, _kind(settings, family)).from_pretrained(path.parent if is_above else source)
        return processor, f"Preprocessing is that of {path}, since {source} has none." if is_above else ""
    except (OSError, ValueError, ImportError) as reason:
        raise ModelError(
            f"`model` must have a processor that can be read. Got hf:{source}: {first_line(reason)}."
            f" Check the connection, or correct or remove its {PROCESSOR_FILES[0]} or {PROCESSOR_FILES[1]}."
        ) from reason


def processor_in_memory(source: str, family: str, size: tuple[int, int]) -> tuple[Any, str]:
    """The processor of the checkpoint that a network in memory came from, or else its family's default, and a note of which.

    `source` is where its configuration says that it came from: it may be empty, or no longer exist.
    """
    with quiet():
        with suppress(ModelError):  # moved, deleted or offline: the default is taken, and the note says so
            if source:
                processor, note = load_processor(source, family, size)
                return processor, note or f"Preprocessing is that of hf:{source}, where it came from."
        return _default_processor(family, size), _assumed(family, size)


def _assumed(family: str, size: tuple[int, int]) -> str:
    height, width = size
    return (
        f"Assumed for the {family} network: its family's preprocessing at {height} × {width} pixels, since no processor"
        " of its checkpoint could be read; say mean and std if it was trained with others."
    )


def _kind(settings: Mapping[str, Any], family: str) -> str:
    """The class of a published processor; of a name that transformers does not have, its family's.

    Not by AutoImageProcessor: google/vivit-b-16x2-kinetics400 misspells its type.
    """
    published = str(settings.get("video_processor_type") or settings.get("image_processor_type") or "")
    published = published.removesuffix("Fast")
    if published in (*VIDEO_PROCESSORS, *_PLAIN_PROCESSORS):
        return published
    if hasattr(transformers, published):
        raise ValueError(f"it names {published}, whose steps are not those of video models")
    return IMAGE_PROCESSORS.get(family, "VJEPA2VideoProcessor")


def processor_clip_spec(processor: Any, *, frames: int, stride: int) -> ClipSpec:
    """The clip spec of a processor; its mean and deviation are brought to values in [0, 1]."""
    scale, offset = _scale(processor)
    means, stds = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if processor.do_normalize:
        means, stds = processor.image_mean, processor.image_std
    mean: Any = ((offset + value) / scale for value in means)
    std: Any = (value / scale for value in stds)
    resized = _pixels(processor.size) if processor.do_resize else None
    cropped = _pixels(processor.crop_size) if getattr(processor, "do_center_crop", False) else resized
    return ClipSpec(
        frames=frames,
        stride=stride,
        size=cropped if isinstance(cropped, tuple) else None,
        resize=resized,
        mean=tuple(mean),
        std=tuple(std),
        layout="time_first",
    )


def processor_prepare(
    processor: Any, spec: ClipSpec, *, overridden: frozenset[str]
) -> Callable[[UInt8[Tensor, "time 3 height width"]], Float[Tensor, "time 3 height_out width_out"]]:
    """A function that prepares a clip with the processor; fields of the spec that the user has overridden win."""
    options: dict[str, Any] = {}
    if "size" in overridden and spec.size is not None:
        height, width = spec.size
        options |= {"do_resize": True, "size": {"shortest_edge": min(height, width)}}
        options |= {"do_center_crop": True, "crop_size": {"height": height, "width": width}}
    if overridden & {"mean", "std"}:
        scale, offset = _scale(processor)
        # The processor normalises value × scale − offset, the spec values in [0, 1].
        options |= {
            "do_normalize": True,
            "image_mean": [value * scale - offset for value in spec.mean],
            "image_std": [value * scale for value in spec.std],
        }

    def prepare(clip: UInt8[Tensor, "time 3 height width"]) -> Float[Tensor, "time 3 height_out width_out"]:
        with quiet():
            if type(processor).__name__ in VIDEO_PROCESSORS:
                batch = processor(clip, do_sample_frames=False, return_tensors="pt", **options)
            else:
                frames = list(clip.numpy())
                batch = processor(frames, input_data_format="channels_first", return_tensors="pt", **options)
        (pixels,) = batch.values()
        # Processors of images return frames, those of videos a batch of one clip.
        return (pixels[0] if pixels.ndim == 5 else pixels).to(torch.float32)

    return prepare


def _processor_file(source: str) -> Path | None:
    folder = Path(source)
    if folder.is_dir():
        # A script that saves the processor once does so in the output folder, above the checkpoints.
        above = [folder.absolute().parent] if re.fullmatch(r"checkpoint-\d+", folder.name) else []
        files = (path / name for path in (folder, *above) for name in PROCESSOR_FILES)
        return next((file for file in files if file.is_file()), None)
    unreachable = None
    for name in PROCESSOR_FILES:
        try:
            return Path(huggingface_hub.hf_hub_download(source, name))
        except huggingface_hub.errors.LocalEntryNotFoundError as reason:
            # Without a connection the cache decides, which also remembers names that the hub does not have.
            if huggingface_hub.try_to_load_from_cache(source, name) is not huggingface_hub._CACHED_NO_EXIST:
                unreachable = reason
        except huggingface_hub.errors.EntryNotFoundError:
            continue
    if unreachable:
        raise unreachable
    return None


# VideoMAE's own defaults in transformers, 0.5 and 0.5, are not what its networks were trained with: kinetics.py of
# MCG-NJU/VideoMAE normalises as ImageNet does, facebook/timesformer-* by values of its own, behind the same processor.
_IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
_MEANS_AND_STDS = {
    "timesformer": ([0.45, 0.45, 0.45], [0.225, 0.225, 0.225]),
    # "RGB values of input videos should be normalized in [0.0, 1.0]": google-deepmind/videoprism, README.md
    "videoprism_vision_model": ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0]),
}


def _default_processor(family: str, size: tuple[int, int]) -> Any:
    height, width = size
    if family == "vjepa2":  # takes one number, and resizes to 256/224 of it
        return transformers.VJEPA2VideoProcessor(crop_size=height)
    crop = {"height": height, "width": width}
    if family == "vivit":  # the published one resizes to 256/224 of the crop
        return transformers.VivitImageProcessor(size={"shortest_edge": round(min(size) * 256 / 224)}, crop_size=crop)
    mean, std = _MEANS_AND_STDS.get(family, _IMAGENET)
    return transformers.VideoMAEImageProcessor(
        size={"shortest_edge": min(size)}, crop_size=crop, image_mean=mean, image_std=std
    )


def _scale(processor: Any) -> tuple[float, float]:
    """Factor and offset before the normalisation: value in [0, 1] × factor − offset."""
    scale = 255 * processor.rescale_factor if processor.do_rescale else 255.0
    # ViViT's processors subtract 1, for values in [−1, 1]; its video processor does so without an attribute.
    shifted = getattr(processor, "offset", type(processor).__name__ == "VivitVideoProcessor")
    return scale, 1.0 if shifted and processor.do_rescale else 0.0


def _pixels(size: Any) -> tuple[int, int] | int | None:
    # A dict in older versions of transformers, an object (SizeDict) in newer ones.
    read: Callable[[str], Any] = size.get if hasattr(size, "get") else lambda key: getattr(size, key, None)
    height, width = read("height"), read("width")
    return (height, width) if height and width else read("shortest_edge")
