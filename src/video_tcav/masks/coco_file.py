"""COCO masks: a JSON file with videos, images that are frames, and masks of the categories `person` and `object`."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from video_tcav.core.errors import InputError
from video_tcav.core.text_files import parse_json, read_text
from video_tcav.masks.files import FileMasks, FrameMask
from video_tcav.masks.mask_source import FIT_SIZE, require_masks
from video_tcav.media import VideoSource, file_digest
from video_tcav.media.coco_masks import CATEGORIES, mask_of_run_lengths

_LAST_NUMBER = re.compile(r"(\d+)$")
_FORM = "COCO JSON with videos, `images` that are frames (video_id, frame_index), `annotations` with run lengths, `categories`"


class CocoMasks(FileMasks):
    """Masks of one file; run lengths are decoded when a clip needs them.

    Source: Lin et al. 2014, arXiv:1405.0312; videos as in TAO, Dave et al. 2020, arXiv:2005.10356.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        self.settings = {"digest": file_digest(path)}
        content = parse_json(read_text(path), f"`{path}`")
        try:
            self._segmentations = _by_video(content)
            self._digests = {_name_of(video): video.get("sha256") for video in content.get("videos", ())}
            names = {str(category["name"]).lower() for category in content["categories"]}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise InputError(f"`{path}` must be {_FORM}. Got: {reason}. Write it as COCO does.") from error
        unknown = sorted(names - set(CATEGORIES))
        cure = "Rename them; what is neither person nor object is scene, and needs no mask."
        require_masks(not unknown, "have the categories person and object alone", ", ".join(unknown), cure)
        require_masks("person" in names, "have the category person", ", ".join(sorted(names)) or "none", cure)
        self._checked: set[Path] = set()
        self._tells_objects = "object" in names

    def entry(self, source: VideoSource) -> str:
        """The name that a video's masks stand under, if it is the video that they were made of; see `MaskSource.entry`."""
        name = super().entry(source)
        # two worlds have the same names and sizes: masks of one would cut pieces out of the other, and nobody would see it
        if (digest := self._digests.get(name)) is not None and source.path not in self._checked:
            cure = (
                "Give the file that was written with these videos, or leave out its sha256 if they were encoded anew."
            )
            got = f"{source.path}, which is another file than {self.path} says"
            require_masks(file_digest(source.path) == digest, "be of the videos that are audited", got, cure)
            self._checked.add(source.path)
        return name

    def video_names(self) -> Sequence[str]:
        return tuple(self._segmentations)

    def frame_mask(self, name: str, frame: int, size: tuple[int, int]) -> FrameMask:
        frames = self._segmentations[name]
        cure = "List every frame among the images, also those without an annotation."
        require_masks(frame in frames, f"have an image for each frame of {name}", f"none for frame {frame}", cure)
        masks = {category: torch.zeros(size, dtype=torch.bool) for category in CATEGORIES}
        for category, segmentation in frames[frame]:
            masks[category] |= self._decoded(segmentation, f"{name}, frame {frame}", size)
        return masks["person"], masks["object"] if self._tells_objects else None

    def _decoded(self, segmentation: Any, where: str, size: tuple[int, int]) -> Bool[Tensor, "height width"]:
        try:
            mask = mask_of_run_lengths(segmentation)
        except (KeyError, TypeError, ValueError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise InputError(f"`{self.path}` must be {_FORM}. Got for {where}: {reason}. Write it again.") from error
        rule = f"have the size of their video, {size[0]}x{size[1]}"
        require_masks(mask.shape == size, rule, f"{mask.shape[0]}x{mask.shape[1]} for {where}", FIT_SIZE)
        return torch.from_numpy(mask)


def _name_of(video: dict[str, Any]) -> str:
    return str(video.get("name") or video["file_name"])


def _by_video(content: Any) -> dict[str, dict[int, list[tuple[str, Any]]]]:
    """Category and segmentation of each annotation, by video and frame; a frame without annotation has none."""
    videos = {video["id"]: _name_of(video) for video in content.get("videos", ())}
    categories = {category["id"]: str(category["name"]).lower() for category in content["categories"]}
    frame_of_image = _indexed_frames(content["images"], videos) | _named_frames(content["images"])
    by_video: dict[str, dict[int, list[tuple[str, Any]]]] = defaultdict(dict)
    for video, frame in frame_of_image.values():
        by_video[video][frame] = []
    for row in content["annotations"]:
        video, frame = frame_of_image[row["image_id"]]
        by_video[video][frame].append((categories[row["category_id"]], row["segmentation"]))
    return dict(by_video)


def _indexed_frames(images: Sequence[dict[str, Any]], videos: dict[Any, str]) -> dict[Any, tuple[str, int]]:
    """Video and frame of each image that has a video_id; their frames count from 0, as in TAO."""
    return {
        image["id"]: (
            videos[image["video_id"]],
            int(image["frame_index"] if "frame_index" in image else image["frame_id"]),
        )
        for image in images
        if "video_id" in image
    }


def _named_frames(images: Sequence[dict[str, Any]]) -> dict[Any, tuple[str, int]]:
    """Video and frame of each image without video_id, by its name `VIDEO/FRAME.jpg`, as of pictures that were decoded."""
    numbers: dict[Any, tuple[str, int]] = {}
    for image in images:
        if "video_id" not in image:
            folder, _, file = str(image["file_name"]).replace("\\", "/").rpartition("/")
            number = _LAST_NUMBER.search(file.partition(".")[0])
            if not folder or not number:
                raise ValueError(f"the image {image['file_name']!r} without video_id")
            numbers[image["id"]] = folder, int(number[1])
    firsts: dict[str, int] = {}
    for video, number in numbers.values():
        firsts[video] = min(number, firsts.get(video, number))
    for video, first in firsts.items():
        if first > 1:
            raise ValueError(f"frames of {video} that are numbered from {first}, not from 0 or 1")
    # FFmpeg calls the first frame 1, OpenCV's users call it 0: taken for each other, masks lag behind by a frame
    return {image: (video, number - firsts[video]) for image, (video, number) in numbers.items()}
