"""Masks as folders of PNGs: a folder for each video, a file for each of its frames, numbered from 0 or from 1."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from PIL import Image, UnidentifiedImageError

from video_tcav.core.errors import InputError
from video_tcav.core.files import reason_of
from video_tcav.masks.files import FileMasks, FrameMask
from video_tcav.masks.mask_source import FIT_SIZE, require_masks

_NUMBER = re.compile(r"(\d+)$")
_LABELS, _BINARY = {0, 1, 2}, {0, 255}
_MODES = ("1", "L", "P", "I;16", "I")  # of pictures with one number a pixel; a palette's colours are for the eye


class PngMasks(FileMasks):
    """Pictures of one number a pixel: 0 is scene, 1 person and 2 object; or 0 is scene and 255 is person."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        self._videos = _numbered_files(path)
        rule = "be a folder with a folder of numbered PNGs for each video"
        require_masks(bool(self._videos), rule, path, "Name them as VIDEO/00000.png.")

    def video_names(self) -> Sequence[str]:
        return tuple(self._videos)

    def frame_mask(self, name: str, frame: int, size: tuple[int, int]) -> FrameMask:
        files = self._videos[name]
        cure = "Write one for every frame of the video."
        require_masks(frame in files, f"have a PNG for each frame of {name}", f"none for frame {frame}", cure)
        labels = _read_labels(files[frame], size)
        values = set(np.unique(labels).tolist())
        if values <= _BINARY and 255 in values:
            return torch.from_numpy(labels == 255), None
        rule = "have the values 0 scene, 1 person and 2 object, or 0 and 255 for person"
        listed = ", ".join(map(str, sorted(values)[:6]))
        require_masks(values <= _LABELS, rule, f"{listed} in {files[frame]}", "Write them without smoothing.")
        # Of 0 and 1 alone nothing says whether objects were looked for: their share is unknown then, not 0.
        # Beside clips that have some, a clip without any gives objects a share of 0 all the same.
        return torch.from_numpy(labels == 1), torch.from_numpy(labels == 2) if 2 in values else None


def _numbered_files(root: Path) -> dict[str, dict[int, Path]]:
    """Files by video and frame, counted from 0."""
    videos: dict[str, dict[int, Path]] = {}
    for file in sorted(root.rglob("*.png")):
        if number := _NUMBER.search(file.stem):
            folder = file.parent.relative_to(root).as_posix() if file.parent != root else root.name
            videos.setdefault(folder, {})[int(number[1])] = file
    return {name: _from_zero(files, root / name) for name, files in videos.items()}


def _from_zero(files: dict[int, Path], folder: Path) -> dict[int, Path]:
    """The first picture is that of the first frame, whether it is called 0 or 1, as FFmpeg does."""
    first, rest = min(files), sorted(files)
    rule = "be numbered from 0 or 1, without gaps"
    without_gaps = first in (0, 1) and rest == list(range(first, first + len(files)))
    cure = "Write a PNG for every frame of the video, also for those without a person."
    require_masks(without_gaps, rule, f"{first} to {rest[-1]}, {len(files)} files, in {folder}", cure)
    return {number - first: file for number, file in files.items()}


def _read_labels(file: Path, size: tuple[int, int]) -> Int[np.ndarray, "height width"]:
    try:
        with Image.open(file) as picture:
            cure = "Save them as grey or palette pictures."
            require_masks(picture.mode in _MODES, "have one number a pixel", f"{picture.mode} in {file}", cure)
            rule = f"have the size of their video, {size[0]}x{size[1]}"
            require_masks(picture.size == size[::-1], rule, f"{picture.height}x{picture.width} in {file}", FIT_SIZE)
            return np.asarray(picture).astype(np.int64) * (255 if picture.mode == "1" else 1)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        if isinstance(error, InputError):  # which is a ValueError, too
            raise
        raise InputError(
            f"`masks` must be PNGs that can be read. Got {file}: {reason_of(error)}. Write it again."
        ) from error
