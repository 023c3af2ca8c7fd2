"""`video-tcav predict`: the most probable classes of each video."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

import video_tcav as vt
from video_tcav.cli import options, render
from video_tcav.core.files import check_file_writable, write_json


@options.with_model_options
def predict(
    *,
    model_options: options.ModelOptions,
    videos: Annotated[list[str], typer.Argument(metavar="VIDEO...", help="Files, folders, globs or manifests.")],
    model: options.Model,
    top: Annotated[int, typer.Option(min=1, help="How many classes to show for each video.")] = 5,
    windows: Annotated[int, typer.Option(min=1, help="Clips a video; their probabilities are averaged.")] = 1,
    json: options.JsonFile = None,
    strict: options.Strict = False,
) -> None:
    """Show the most probable classes of each video."""
    if json:
        check_file_writable(json)
    loaded = model_options.load(model)
    result = vt.predict(loaded, videos, top=top, windows=windows, strict=strict, progress=True)
    table = Table(
        "video", "class", "probability" if loaded.outputs.has_probabilities else "value", box=None, pad_edge=False
    )
    # The name of a video on its first line alone.
    for prediction in result.predictions:
        for rank, label in enumerate(prediction.labels):
            video = render.escape(render.shortened(prediction.path)) if rank == 0 else ""
            table.add_row(video, render.escape(label.label), _number(label))
    render.out.print(table)
    render.model_outputs(loaded)
    render.random_weights(loaded)
    render.left_out(result.left_out)
    render.skipped(result.skipped)
    if json:
        write_json(
            Path(json),
            [
                {"path": prediction.path, "predictions": [_plain(label) for label in prediction.labels]}
                for prediction in result.predictions
            ],
        )


def _number(label: Any) -> str:
    return f"{label.value:.4g}" if label.probability is None else f"{label.probability:.3f}"


# Regression outputs have values, classifiers probabilities: the other one is left out of the JSON.
def _plain(label: Any) -> dict[str, object]:
    return {name: value for name, value in asdict(label).items() if value is not None}
