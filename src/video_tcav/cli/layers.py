"""`video-tcav layers`: where can one look inside?"""

from typing import Annotated

import typer
from rich.table import Table

import video_tcav as vt
from video_tcav.cli import options, render
from video_tcav.core.files import check_file_writable, write_json


def layers(
    model: options.Model,
    weights: options.Weights = None,
    all_layers: Annotated[
        bool, typer.Option("--all", help="Show every layer, not only two levels and the stages.")
    ] = False,
    json: options.JsonFile = None,
    frames: options.Frames = None,
    stride: options.Stride = None,
    size: options.Size = None,
    mean: options.Mean = None,
    std: options.Std = None,
    classes: options.Classes = None,
    device: options.Device = "auto",
) -> None:
    """List the model's layers with the shape of their output for one clip and the meaning of each axis."""
    if json:
        check_file_writable(json)
    loaded = options.load(model, weights, frames, stride, size, mean, std, classes, device)
    found = vt.list_layers(loaded)
    shown = [one for one in found if all_layers or one.is_default or one.name.count(".") < 2]
    table = Table("layer", "shape", "axes", box=None, pad_edge=False)
    for one in shown:
        name = f"[bold]{one.name} *[/]" if one.is_default else one.name
        axes = ", ".join(one.axes.dims) + render.tokens(one.axes) if one.axes else f"unknown: {one.axes_note}"
        table.add_row(name, " × ".join(map(str, one.shape)), axes)
    render.out.print(table)
    hidden = len(found) - len(shown)
    render.out.print(
        f"\n* the layers that `test` uses unless told otherwise.{f' {hidden} inner layers: --all.' if hidden else ''}"
    )
    if json:
        write_json(json, [_plain(one) for one in found])


def _plain(layer: "vt.LayerInfo") -> dict[str, object]:
    plain: dict[str, object] = {
        "name": layer.name,
        "shape": list(layer.shape),
        "axes": list(layer.axes.dims) if layer.axes else None,
        "default": layer.is_default,
    }
    if layer.axes_note:
        plain["note"] = layer.axes_note
    if layer.axes and layer.axes.token_order:
        plain["tokens"] = {
            "order": list(layer.axes.token_order),
            "grid": list(layer.axes.grid or ()),
            "prefix": layer.axes.prefix_tokens,
        }
    return plain
