"""`video-tcav layers`: list the layers of a model with shapes and axes."""

from typing import Annotated

import typer

import video_tcav as vt
from video_tcav.cli import options, render
from video_tcav.core.files import write_json
from video_tcav.core.model_settings import ModelSettings


@options.with_settings(model_options=ModelSettings)
def layers(
    *,
    model_options: ModelSettings,
    model: options.Model,
    all_layers: Annotated[
        bool, typer.Option("--all", help="Show every layer, not only two levels and the stages.")
    ] = False,
    json: options.JsonFile = None,
) -> None:
    """List the model's layers with the shape of their output for one clip and the meaning of each axis."""
    loaded = vt.load_model(model, **vars(model_options))
    every = vt.list_layers(loaded)
    # Two levels of the module tree, as a full listing of a transformer has several hundred lines.
    listed = [layer for layer in every if all_layers or layer.is_default or layer.name.count(".") < 2]
    table = render.table("layer", "shape", "axes", unbroken=("shape",))
    for layer in listed:
        name = f"[bold]{render.escape(layer.name)} *[/]" if layer.is_default else render.escape(layer.name)
        table.add_row(name, layer.shape_text, render.escape(layer.axes_text))
    render.out.print(table)
    hidden = len(every) - len(listed)
    render.out.print(
        f"\n* the layers that `test` uses unless told otherwise.{f' {hidden} inner layers: --all.' if hidden else ''}"
    )
    for note in (loaded.outputs.sentence, *loaded.notes):
        render.paragraph(note)
    if json:
        write_json(json, [_plain(layer) for layer in every])


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
