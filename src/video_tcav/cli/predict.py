"""`video-tcav predict`: the most probable classes of each video."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

import video_tcav as vt
from video_tcav.cli import options, render
from video_tcav.core.files import write_json
from video_tcav.core.model_settings import ModelSettings

if TYPE_CHECKING:
    from video_tcav.prediction import Predictions

_TOP, _FEW_VIDEOS = 5, 3  # a screenful of lines


@options.with_settings(model_options=ModelSettings)
def predict(
    *,
    model_options: ModelSettings,
    videos: options.Videos,
    model: options.Model,
    top: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"How many classes to show for each video. [dim]default: 5, or 1 above {_FEW_VIDEOS} videos[/]",
            show_default=False,
        ),
    ] = None,
    windows: Annotated[int, typer.Option(min=1, help="Clips a video; their probabilities are averaged.")] = 1,
    json: options.JsonFile = None,
    strict: options.Strict = False,
) -> None:
    """Show the most probable classes of each video, and how many are right where folders or lists name their classes."""
    loaded = vt.load_model(model, **vars(model_options))
    result = vt.predict(loaded, videos, top=top or _TOP, windows=windows, strict=strict, progress=True)
    lines = top or (_TOP if len(result) <= _FEW_VIDEOS else 1)
    render.out.print(_table(result, lines, "probability" if loaded.outputs.has_probabilities else "value"))
    if result.labelled:
        render.out.print()
        render.paragraph(result.summary())
    render.warn(*loaded.remarks())
    render.random_weights(loaded)
    render.warn(*result.left_out)
    render.skipped(result.skipped)
    if json:
        write_json(json, [_plain(prediction) for prediction in result])


def _table(result: "Predictions", lines: int, number: str) -> Table:
    """So many classes a video, its name on the first line alone, and what it is labelled where that is another class."""
    labelled = ["labelled"] if result.confusions else []
    table = render.table("video", "class", number, *labelled, numbers=(number,))
    for prediction in result:
        wrong = prediction.actual is not None and not prediction.is_right
        for rank, label in enumerate(prediction.labels[:lines]):
            video = render.escape(render.shortened(prediction.path)) if rank == 0 else ""
            actual = f"✗ {render.escape(str(prediction.actual))}" if wrong and rank == 0 else ""
            table.add_row(video, render.escape(label.label), label.amount, *([actual] if labelled else []))
    return table


# Regression outputs have values, classifiers probabilities: the other one is left out of the JSON.
def _plain(prediction: "vt.Prediction") -> dict[str, object]:
    labels = [
        {name: value for name, value in asdict(label).items() if value is not None} for label in prediction.labels
    ]
    actual = {} if prediction.actual is None else {"actual": prediction.actual}
    return {"path": prediction.path, **actual, "predictions": labels}
