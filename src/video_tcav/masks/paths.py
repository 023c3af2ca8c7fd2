"""Masks of a path: a folder of PNGs, or a COCO JSON file."""

from pathlib import Path

from video_tcav.masks.coco_file import CocoMasks
from video_tcav.masks.files import FileMasks
from video_tcav.masks.mask_source import require_masks
from video_tcav.masks.png_folder import PngMasks


def masks_from_files(path: Path) -> FileMasks:
    """The masks of a JSON file, or of a folder of PNGs.

    Raises:
        InputError: if the path is neither.
    """
    if path.is_dir():
        return PngMasks(path)
    is_json = path.is_file() and path.suffix.lower() == ".json"
    require_masks(is_json, "be a folder of PNGs or a COCO JSON file", path, "Give one of them.")
    return CocoMasks(path)
