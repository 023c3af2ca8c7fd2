"""A data set of rendered video files: a folder for each class, and a manifest with factors and bounding boxes."""

import json
import re
from pathlib import Path

import pandas as pd

from video_tcav.core.errors import InputError
from video_tcav.core.progress import progress_bar
from video_tcav.core.tables import write_csv
from video_tcav.media import file_digest, write_video
from video_tcav.media.coco_masks import VideoMasks, write_coco_masks
from video_tcav.media.encode import VideoCodec
from video_tcav.rendered.factors import Factors
from video_tcav.rendered.renderer import FRAMES, SIZE, render

FPS = 12.5  # 16 frames show 1.28 s
MASKS_FILE = "masks.json"


def write_world(
    folder: str | Path,
    clips: list[Factors],
    labels: list[str],
    *,
    frames: int = FRAMES,
    size: int | tuple[int, int] = SIZE,
    codec: VideoCodec = "h264",
    masks: bool = False,
    progress: bool = False,
) -> Path:
    """Render clips into `folder/<label>/<number>.mp4`, with `folder/manifest.csv`.

    The manifest's columns are `path` and `label`, which every command reads, then all factors, then `boxes`: for `figure`,
    `arm` and `object` the box in each frame (left, top, right, bottom in pixels; null where it is not visible), as JSON.

    Args:
        folder: created if it does not exist.
        clips: factors of each clip.
        labels: the class of each.
        frames: frames in a clip.
        size: pixels, or `(height, width)`.
        codec: `h264`, or `vp9` (WebM) or `av1`.
        masks: whether to write `folder/masks.json`, too: the pixels of figure and object in each frame as COCO masks, with the
            categories `person` and `object`.
        progress: whether to show a bar.

    Returns:
        The manifest.

    Raises:
        InputError: if clips and labels differ in number.
        OutputError: if the folder cannot be written to.
    """
    if len(clips) != len(labels):
        raise InputError(
            f"`labels` must name the class of each clip. Got {len(labels)} for {len(clips)} clips. Give one each."
        )
    root = Path(folder)
    manifest = root / "manifest.csv"
    if manifest.exists():
        raise InputError(
            f"`{root}` must not hold a world already. Got one with manifest.csv. Delete it, or give another."
        )
    # VP9 goes into WebM; H.264 and AV1 into MP4.
    ending = ".webm" if codec == "vp9" else ".mp4"
    rows, video_masks = [], []
    with progress_bar("rendering (clips)", len(clips), visible=progress) as advance:
        for number, (factors, label) in enumerate(zip(clips, labels, strict=True)):
            rendered = render(factors, frames=frames, size=size)
            path = Path(re.sub(r"[^\w -]", "-", label)) / f"{number:05d}{ending}"
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            write_video(root / path, rendered.clip, fps=FPS * frames / FRAMES, codec=codec)
            boxes = {
                name: [None if box.isnan().any() else [int(edge) for edge in box] for box in rendered.boxes(name)]
                for name in ("figure", "arm", "object")
            }
            rows.append({"path": path.as_posix(), "label": label, **factors.to_dict(), "boxes": json.dumps(boxes)})
            if masks:
                of_video = {"person": rendered.mask("figure").numpy(), "object": rendered.mask("object").numpy()}
                digest = file_digest(root / path)
                video_masks.append(VideoMasks(name=path.as_posix(), masks=of_video, digest=digest))
            advance(1)
    if masks:
        write_coco_masks(root / MASKS_FILE, video_masks)
    write_csv(manifest, pd.DataFrame(rows))
    return manifest
