"""`video-tcav predict`: what does the model see?"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

import video_tcav as vt
from video_tcav.cli import options, render
from video_tcav.core.files import check_file_writable, write_json


def predict(
    videos: Annotated[list[str], typer.Argument(metavar="VIDEO...", help="Files, folders, globs or manifests.")],
    model: options.Model,
    weights: options.Weights = None,
    top: Annotated[int, typer.Option(min=1, help="How many classes to show for each video.")] = 5,
    windows: Annotated[int, typer.Option(min=1, help="Clips a video; their probabilities are averaged.")] = 1,
    json: options.JsonFile = None,
    strict: options.Strict = False,
    frames: options.Frames = None,
    stride: options.Stride = None,
    size: options.Size = None,
    mean: options.Mean = None,
    std: options.Std = None,
    classes: options.Classes = None,
    device: options.Device = "auto",
) -> None:
    """Show the most probable classes of each video."""
    if json:
        check_file_writable(json)
    loaded = options.load(model, weights, frames, stride, size, mean, std, classes, device)
    found = vt.predict(loaded, videos, top=top, windows=windows, strict=strict, progress=True)
    table = Table("video", "class", "probability", box=None, pad_edge=False)
    for one in found.predictions:
        for rank, label in enumerate(one.labels):
            table.add_row(
                escape(render.shortened(one.path)) if rank == 0 else "", escape(label.label), f"{label.probability:.3f}"
            )
    render.out.print(table)
    render.random_weights(loaded)
    render.skipped(found.skipped)
    if json:
        write_json(
            Path(json),
            [{"path": one.path, "predictions": [asdict(label) for label in one.labels]} for one in found.predictions],
        )
