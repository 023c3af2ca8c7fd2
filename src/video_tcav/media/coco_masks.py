"""COCO masks of videos: run lengths of masks, and the JSON file with videos, images that are frames, and annotations."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np
from jaxtyping import Bool

from video_tcav.core.errors import MissingExtraError, ShapeError
from video_tcav.core.files import write_text

CATEGORIES: tuple[str, ...] = ("person", "object")
"""What masks of an audit tell apart; all else is the scene."""


@dataclass(frozen=True, kw_only=True, eq=False)
class VideoMasks:
    """Masks of a video, to be written.

    Attributes:
        name: of the video: its path from the folder of the file.
        masks: by category, one a frame, from the first frame on.
        digest: SHA-256 of the video, with which its masks are not taken for those of another of its name; `None` tells none.
    """

    name: str
    masks: Mapping[str, Bool[np.ndarray, "time height width"]]
    digest: str | None = None


def run_lengths(mask: Bool[np.ndarray, "height width"]) -> list[int]:
    """Lengths of runs of equal pixels, column by column, beginning with those outside of the mask, which may be none.

    Source:
        Lin et al. 2014, arXiv:1405.0312; COCO calls it uncompressed RLE.
    """
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *changes.tolist(), len(flat)]).tolist()
    return [0, *lengths] if flat[0] else lengths


def mask_of_run_lengths(segmentation: Any) -> Bool[np.ndarray, "height width"]:
    """The mask of a COCO segmentation `{"size": [height, width], "counts": ...}`.

    Raises:
        MissingExtraError: for compressed run lengths, which are text, without pycocotools.
        ShapeError: if the lengths do not add up to the size.
        TypeError: for a segmentation that is not of that form, such as a polygon; likewise `KeyError` and `ValueError`.
    """
    if not isinstance(segmentation, dict):
        raise TypeError("a segmentation without size and counts, such as a polygon")
    height, width = (int(side) for side in segmentation["size"])
    counts = segmentation["counts"]
    if isinstance(counts, str):
        return _decompressed(counts, height, width)
    lengths = np.array(counts, np.int64).ravel()
    if min(height, width, *lengths.tolist(), 1) < 0 or lengths.sum() != height * width:
        raise ShapeError(
            f"`counts` must add up to the size {height}x{width}. Got {len(lengths)} lengths of {lengths.sum()} pixels. "
            "Write the file again."
        )
    values = np.arange(len(lengths)) % 2 == 1
    return np.repeat(values, lengths).reshape((height, width), order="F")


def write_coco_masks(path: Path, videos: Sequence[VideoMasks]) -> None:
    """Write masks of videos as COCO JSON with uncompressed run lengths; a frame without a mask has an image all the same.

    Raises:
        OutputError: if the file cannot be written.
    """
    content: dict[str, list[Any]] = {
        "videos": [],
        "images": [],
        "annotations": [],
        "categories": [{"id": number, "name": name} for number, name in enumerate(CATEGORIES, start=1)],
    }
    for video_id, video in enumerate(videos, start=1):
        frames, height, width = next(iter(video.masks.values())).shape
        size = {"width": width, "height": height}
        digest = {} if video.digest is None else {"sha256": video.digest}
        content["videos"].append({"id": video_id, "name": video.name, **size, **digest})
        for frame in range(frames):
            image_id = len(content["images"]) + 1
            image = {"id": image_id, "video_id": video_id, "frame_index": frame, "file_name": f"{video.name}#{frame}"}
            content["images"].append(image | size)
            for name, masks in video.masks.items():
                if masks[frame].any():
                    category = CATEGORIES.index(name) + 1
                    ids = {"id": len(content["annotations"]) + 1, "image_id": image_id, "video_id": video_id}
                    track = {"track_id": (video_id - 1) * len(CATEGORIES) + category, "category_id": category}
                    content["annotations"].append(ids | track | _annotation(masks[frame]))
    # a line for each run would be most of the file
    write_text(path, json.dumps(content, separators=(",", ":")))


def _annotation(mask: Bool[np.ndarray, "height width"]) -> dict[str, Any]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    left, top, right, bottom = (int(edge) for edge in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    return {
        "segmentation": {"size": list(mask.shape), "counts": run_lengths(mask)},
        "area": int(mask.sum()),
        "bbox": [left, top, right - left, bottom - top],
        "iscrowd": 1,  # what COCO calls annotations with uncompressed run lengths
    }


def _decompressed(counts: str, height: int, width: int) -> Bool[np.ndarray, "height width"]:
    try:
        decode = resolve_name("pycocotools.mask:decode")
    except ImportError as error:
        raise MissingExtraError("masks", "A file of compressed masks") from error
    return decode({"size": [height, width], "counts": counts.encode()}).astype(bool)
