"""`video-tcav score`: how much of each concept is in new clips, by the CAVs of an earlier run?"""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

import video_tcav as vt
from video_tcav.cli import options, render
from video_tcav.core.files import check_file_writable, write_json


def score(
    videos: Annotated[list[str], typer.Argument(metavar="VIDEO...", help="Files, folders, globs or manifests.")],
    model: options.Model,
    cavs: Annotated[Path, typer.Option(metavar="FILE", help="cavs.safetensors from the --out folder of `test`.")],
    weights: options.Weights = None,
    target: Annotated[
        str | None, typer.Option(metavar="CLASS", help="Also say how the concept would move this class.")
    ] = None,
    against: Annotated[
        str, typer.Option(metavar="log_odds|logit|contrast:CLASS", help="What the target is.")
    ] = "log_odds",
    json: options.JsonFile = None,
    frames: options.Frames = None,
    stride: options.Stride = None,
    size: options.Size = None,
    mean: options.Mean = None,
    std: options.Std = None,
    classes: options.Classes = None,
    device: options.Device = "auto",
) -> None:
    """Score clips with saved CAVs: presence is 0 for the average random clip and 1 for the average concept clip."""
    if json:
        check_file_writable(json)
    saved = vt.load_cavs(cavs)
    loaded = options.load(model, weights, frames, stride, size, mean, std, classes, device)
    frame = vt.score_clips(loaded, saved, videos, target=target, against=against, progress=True)
    columns = ["video", "layer", "concept", "presence", *(["derivative"] if target else [])]
    table = Table(*columns, box=None, pad_edge=False)
    for row in frame.to_dict("records"):
        name = row["concept"] if row["versus"] == "random" else f"{row['concept']} vs {row['versus']}"
        derivative = [f"{row['directional_derivative']:+.4f}"] if target else []
        table.add_row(
            escape(render.shortened(row["path"])), row["layer"], escape(name), f"{row['presence']:+.2f}", *derivative
        )
    render.out.print(table)
    if json:
        write_json(json, frame.to_dict("records"))
