"""`video-tcav predict`: the most probable classes of each video."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

import video_tcav as vt
from video_tcav.cli import options, render
from video_tcav.core.files import write_json
from video_tcav.core.model_settings import ModelSettings


@options.with_settings(model_options=ModelSettings)
def predict(
    *,
    model_options: ModelSettings,
    videos: options.Videos,
    model: options.Model,
    top: Annotated[int, typer.Option(min=1, help="How many classes to show for each video.")] = 5,
    windows: Annotated[int, typer.Option(min=1, help="Clips a video; their probabilities are averaged.")] = 1,
    json: options.JsonFile = None,
    strict: options.Strict = False,
) -> None:
    """Show the most probable classes of each video."""
    loaded = vt.load_model(model, **vars(model_options))
    result = vt.predict(loaded, videos, top=top, windows=windows, strict=strict, progress=True)
    table = render.table("video", "class", "probability" if loaded.outputs.has_probabilities else "value")
    # The name of a video on its first line alone.
    for prediction in result.predictions:
        for rank, label in enumerate(prediction.labels):
            video = render.escape(render.shortened(prediction.path)) if rank == 0 else ""
            table.add_row(video, render.escape(label.label), _number(label))
    render.out.print(table)
    render.warn(*loaded.remarks())
    render.random_weights(loaded)
    render.warn(*result.left_out)
    render.skipped(result.skipped)
    if json:
        predictions = [
            {"path": each.path, "predictions": [_plain(label) for label in each.labels]} for each in result.predictions
        ]
        write_json(json, predictions)


def _number(label: Any) -> str:
    return f"{label.value:.4g}" if label.probability is None else f"{label.probability:.3f}"


# Regression outputs have values, classifiers probabilities: the other one is left out of the JSON.
def _plain(label: Any) -> dict[str, object]:
    return {name: value for name, value in asdict(label).items() if value is not None}
