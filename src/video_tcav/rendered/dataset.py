"""The world as ordinary video files: a folder a class, and a manifest with the truth of every clip."""

import json
import re
from pathlib import Path

import pandas as pd

from video_tcav.core.errors import InputError
from video_tcav.core.progress import progress_bar
from video_tcav.core.tables import write_csv
from video_tcav.media import write_video
from video_tcav.media.encode import VideoCodec
from video_tcav.rendered.factors import Factors
from video_tcav.rendered.renderer import FRAMES, SIZE, RenderedClip, render

FPS = 12.5


def write_world(
    folder: str | Path,
    clips: list[Factors],
    labels: list[str],
    *,
    frames: int = FRAMES,
    size: int | tuple[int, int] = SIZE,
    codec: VideoCodec = "h264",
    progress: bool = False,
) -> Path:
    """Render clips into `folder/<label>/<number>.mp4`, with `folder/manifest.csv`.

    The manifest's columns are `path` and `label`, which every command reads, then all factors, then `boxes`: for `figure`,
    `arm` and `object` the box in each frame (left, top, right, bottom in pixels; null where it is not seen), as JSON.

    Args:
        folder: where; made if it is not there.
        clips: what to render.
        labels: the class of each.
        frames: frames in a clip.
        size: pixels, or `(height, width)`.
        codec: `h264`, or `vp9` (WebM) or `av1`.
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
    if (root / "manifest.csv").exists():
        raise InputError(
            f"`{root}` must not hold a world already. Got one with manifest.csv. Delete it, or give another."
        )
    ending = ".webm" if codec == "vp9" else ".mp4"
    rows = []
    with progress_bar("rendering (clips)", len(clips), visible=progress) as advance:
        for number, (factors, label) in enumerate(zip(clips, labels, strict=True)):
            found = render(factors, frames=frames, size=size)
            place = Path(re.sub(r"[^\w -]", "-", label)) / f"{number:05d}{ending}"
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            write_video(root / place, found.clip, fps=FPS * frames / FRAMES, codec=codec)
            rows.append(
                {"path": place.as_posix(), "label": label, **factors.to_dict(), "boxes": json.dumps(_boxes(found))}
            )
            advance(1)
    manifest = root / "manifest.csv"
    write_csv(manifest, pd.DataFrame(rows))
    return manifest


def _boxes(clip: RenderedClip) -> dict[str, list[list[int] | None]]:
    return {
        part: [None if box.isnan().any() else [int(edge) for edge in box] for box in clip.boxes(part)]
        for part in ("figure", "arm", "object")
    }
