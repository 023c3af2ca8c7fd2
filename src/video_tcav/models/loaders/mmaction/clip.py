"""Test pipelines of mmaction2 configs as clip settings: sampled frames, resize, crop, mean, deviation and order of colours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Float, UInt8
from torch import Tensor

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import ModelError
from video_tcav.core.limits import excerpt
from video_tcav.models.loaders.mmaction.config import Unread
from video_tcav.models.loaders.mmaction.settings import plain
from video_tcav.models.preprocess import prepare_clip

# Steps that decode, lay out or collect, and leave pixels as they are.
_NO_CHANGE = frozenset(
    {
        *("DecordInit", "DecordDecode", "PyAVInit", "PyAVDecode", "OpenCVInit", "OpenCVDecode", "RawFrameDecode"),
        *("FormatShape", "PackActionInputs", "Collect", "ToTensor"),
    }
)
_PIPELINES = (
    ("val_dataloader", "dataset", "pipeline"),
    ("test_dataloader", "dataset", "pipeline"),
    ("val_pipeline",),
    ("test_pipeline",),
    ("data", "val", "pipeline"),  # before mmaction2 1.0
    ("data", "test", "pipeline"),
)
"""Where pipelines stand, validation first: it passes one centre crop, a test often many."""


@dataclass(frozen=True, kw_only=True)
class PublishedClip:
    """What a config says about the clip.

    Attributes:
        fields: fields of a `ClipSpec`.
        flips_colours: whether the network takes blue, green and red, in this order.
        notes: what was left out or taken for something else, one sentence each.
    """

    fields: Mapping[str, Any]
    flips_colours: bool
    notes: tuple[str, ...]


@dataclass
class _Steps:
    """The steps of a pipeline, taken in one by one."""

    source: str
    frames_in_batch: bool
    fields: dict[str, Any] = field(default_factory=dict)
    flips_colours: bool = False
    notes: list[str] = field(default_factory=list)

    def error(self, rule: str, value: Any) -> ModelError:
        return ModelError(
            f"`pipeline` of {self.source} must {rule}. Got {excerpt(value)}. Use file: with a function that builds the network,"
            " and a clip_spec."
        )


def published_clip(config: Mapping[str, Any], source: str, *, frames_in_batch: bool) -> PublishedClip:
    """Clip settings of a config, of its validation pipeline or else of its test pipeline.

    Args:
        config: of `read_config`.
        source: what errors call it.
        frames_in_batch: whether the recognizer is one of images (`Recognizer2D`), whose segments are its frames.

    Raises:
        ModelError: for a step that is not known, or sampling that no `ClipSpec` says.

    Source:
        mmaction2 1.2.0, datasets/transforms/loading.py (SampleFrames, UniformSample, DenseSampleFrames), processing.py (Resize,
        crops), models/data_preprocessors/data_preprocessor.py.
    """
    steps = _Steps(source=source, frames_in_batch=frames_in_batch)
    for step in _pipeline(config, source):
        _take(steps, step)
    if "frames" not in steps.fields:
        raise steps.error("sample frames", "no SampleFrames, UniformSample or DenseSampleFrames")
    if "size" not in steps.fields:
        raise steps.error("end in one size, by CenterCrop or Resize with keep_ratio=False", "neither")
    _normalise(steps, config["model"].get("data_preprocessor"))
    return PublishedClip(fields=steps.fields, flips_colours=steps.flips_colours, notes=tuple(steps.notes))


def prepare_flipped(
    clip: UInt8[Tensor, "time 3 height width"], spec: ClipSpec
) -> Float[Tensor, "first second height_out width_out"]:
    """`prepare_clip` for a network that takes blue, green and red; mean and deviation stand in this order."""
    return prepare_clip(clip.flip(1), spec)


def _pipeline(config: Mapping[str, Any], source: str) -> Sequence[Mapping[str, Any]]:
    for keys in _PIPELINES:
        content: Any = config
        for key in keys:
            content = content.get(key) if isinstance(content, Mapping) else content
            if isinstance(content, Unread):
                raise content.error()
        if isinstance(content, list | tuple) and all(isinstance(step, Mapping) for step in content):
            return content
    raise ModelError(
        f"`pipeline` must stand in {source}. Got no val_pipeline or test_pipeline. Add it, as a list of dicts."
    )


def _take(steps: _Steps, step: Mapping[str, Any]) -> None:
    settings = plain({key: value for key, value in step.items() if key != "type"})
    match step.get("type"):
        case "SampleFrames":
            _sample(steps, settings)
        case "UniformSample" | "UniformSampleFrames":
            if steps.frames_in_batch:
                raise steps.error("sample frames of image networks by SampleFrames", step["type"])
            _count(steps, _whole(steps, settings, "num_clips", 1), "clips")
            steps.fields |= {"frames": _whole(steps, settings, "clip_len"), "sampling": "uniform"}
        case "DenseSampleFrames":
            _sample_densely(steps, settings)
        case "Resize":
            _resize(steps, settings)
        case "CenterCrop" | "ThreeCrop" | "TenCrop" as crop:
            sides = settings.get("crop_size")
            width, height = sides if isinstance(sides, tuple) and len(sides) == 2 else (sides, sides)
            crop_size = {"width": width, "height": height}
            steps.fields["size"] = (_whole(steps, crop_size, "height"), _whole(steps, crop_size, "width"))
            if crop != "CenterCrop":
                steps.notes.append(f"Of the crops of {crop}, the centre one is taken.")
        case "Flip" if settings.get("flip_ratio") == 0:
            pass
        case "Normalize":  # before mmaction2 1.0
            _colours(steps, settings.get("mean"), settings.get("std"), flips=settings.get("to_bgr", False))
        case kind if kind not in _NO_CHANGE:
            raise steps.error("have steps of decoding, sampling, Resize and CenterCrop", kind)


def _sample(steps: _Steps, settings: Mapping[str, Any]) -> None:
    length, clips = _whole(steps, settings, "clip_len"), _whole(steps, settings, "num_clips", 1)
    if steps.frames_in_batch and length == 1:
        # The middle of each of `num_clips` equal parts of the video.
        steps.fields |= {"frames": clips, "sampling": "uniform"}
        if settings.get("twice_sample", False):
            steps.notes.append("Of the two samples of twice_sample, the middle frames of the segments are taken.")
        return
    _count(steps, clips, "clips")
    interval, fps = _whole(steps, settings, "frame_interval", 1), settings.get("target_fps")
    rate = {"stride": interval} if fps is None else {"fps": _whole(steps, settings, "target_fps") / interval}
    steps.fields |= {"frames": length, "sampling": "dense", **rate}


def _sample_densely(steps: _Steps, settings: Mapping[str, Any]) -> None:
    clips, length = _whole(steps, settings, "num_clips", 1), _whole(steps, settings, "clip_len")
    if 1 not in (clips, length) or (length == 1 and not steps.frames_in_batch):
        raise steps.error("sample one clip, or frames of a network of images", f"clip_len={length}, num_clips={clips}")
    _count(steps, _whole(steps, settings, "num_sample_positions", 10), "positions")
    # `num_clips` frames, spread over `sample_range` neighbouring ones (64, if not said); or one clip inside these.
    spread = max(1, _whole(steps, settings, "sample_range", 64) // clips)
    stride = spread if length == 1 else _whole(steps, settings, "frame_interval", 1)
    steps.fields |= {"frames": max(clips, length), "stride": stride, "sampling": "dense"}


def _count(steps: _Steps, count: int, what: str) -> None:
    if count > 1:
        steps.notes.append(
            f"Of the {count} {what} of the config's test, one from the middle is taken; windows take more."
        )


def _resize(steps: _Steps, settings: Mapping[str, Any]) -> None:
    scale = settings.get("scale")
    if not isinstance(scale, tuple) or len(scale) != 2 or not all(isinstance(side, int) for side in scale):
        raise steps.error("resize to pixels, (-1, 256) or (224, 224)", scale)
    width, height = scale
    interpolation = settings.get("interpolation", "bilinear")
    if interpolation != "bilinear":
        steps.notes.append(f"Resize is bilinear here, and {interpolation} in the config.")
    if not settings.get("keep_ratio", True):
        steps.fields |= {"resize": (height, width), "size": (height, width)}
        return
    steps.fields["resize"] = max(scale) if -1 in scale else min(scale)
    if -1 not in scale:
        # A wide video is made smaller by mmaction2, until its longer side fits.
        steps.notes.append(f"Resize to fit {width} × {height} is taken for a shorter side of {min(scale)}.")


def _normalise(steps: _Steps, preprocessor: Any) -> None:
    if preprocessor is None and "mean" in steps.fields:
        return
    if not isinstance(preprocessor or {}, Mapping):
        raise steps.error("have a dict data_preprocessor", preprocessor)
    settings = plain(preprocessor or {})
    kind = settings.get("type", "ActionDataPreprocessor")
    if kind != "ActionDataPreprocessor":
        raise steps.error("have a data_preprocessor of the type ActionDataPreprocessor", kind)
    if settings.get("mean") is None and "mean" not in steps.fields:
        # Pixels go in as they are, up to 255.
        settings |= {"mean": (0.0,) * 3, "std": (1.0,) * 3}
    if settings.get("mean") is not None:
        _colours(steps, settings["mean"], settings.get("std"), flips=settings.get("to_rgb", False))


def _colours(steps: _Steps, mean: Any, std: Any, *, flips: bool) -> None:
    if not all(isinstance(values, tuple) and len(values) == 3 and _are_numbers(values) for values in (mean, std)):
        raise steps.error("have a mean and a std of three colours", (mean, std))
    steps.fields |= {"mean": tuple(value / 255 for value in mean), "std": tuple(value / 255 for value in std)}
    if flips:
        # Decoders give red, green and blue; what the config calls "to RGB" turns them round.
        steps.flips_colours = True
        steps.notes.append("The network takes blue, green and red, as its config turns the decoded colours round.")


def _are_numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _whole(steps: _Steps, settings: Mapping[str, Any], key: str, default: int | None = None) -> int:
    value = settings.get(key, default)
    if not isinstance(value, int) or value < 1:
        raise steps.error(f"have a whole number {key}", value)
    return value
