"""`video-tcav score`: presence of concepts in new clips, by the CAVs of an earlier run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

import video_tcav as vt
from video_tcav.cli import options, render
from video_tcav.core.files import write_json
from video_tcav.core.model_settings import ModelSettings
from video_tcav.recording.settings import RecordingSettings
from video_tcav.tcav.wording import comparison_name


@options.with_settings(model_options=ModelSettings, recording=RecordingSettings, leave_out=("space",))
def score(
    *,
    model_options: ModelSettings,
    recording: RecordingSettings,
    videos: options.Videos,
    model: options.Model,
    cavs: Annotated[
        Path, typer.Option(metavar="PATH", help="Folder of `test --out` or of a run, or a cavs.safetensors in it.")
    ],
    target: Annotated[
        str | None, typer.Option(metavar="CLASS", help="Also give the derivative of this class along each concept.")
    ] = None,
    against: options.Against = "log_odds",
    without: Annotated[
        bool,
        typer.Option(
            "--without",
            help="Also give target and first class without each concept: put to random clips along its CAV.",
        ),
    ] = False,
    json: options.JsonFile = None,
) -> None:
    """Score clips with saved CAVs: presence is 0 for the average random clip and 1 for the average concept clip."""
    saved = vt.load_cavs(cavs)  # before the model, which takes longer to load
    loaded = vt.load_model(model, **vars(model_options))
    result = vt.score_clips(
        loaded, saved, videos, target=target, against=against, without=without, recording=recording, progress=True
    )
    render.out.print(_table(result.scores, windowed=recording.windows > 1))
    render.random_weights(loaded)
    render.skipped(result.skipped)
    if json:
        write_json(json, result.to_frame().to_dict("records"))


def _table(scores: "Sequence[vt.ClipScore]", *, windowed: bool) -> Table:
    numbers = _numbers(scores[0])
    has_classes = any(score.predicted_as_is or score.predicted_without for score in scores)
    # Columns that would be the same in every row are left out.
    columns = ["video", *(["window"] if windowed else []), "layer", "concept"]
    classes = ["called", "called without"] if has_classes else []
    table = render.table(*columns, *numbers, *classes, numbers=list(numbers))
    short_layers = render.without_common_prefix([score.layer for score in scores])
    for score in scores:
        name = comparison_name(score.concept, score.versus)
        window = [str(score.window)] if windowed else []
        answers = [render.escape(answer or "–") for answer in (score.predicted_as_is, score.predicted_without)]
        table.add_row(
            render.escape(render.shortened(score.path)),
            *window,
            render.escape(short_layers[score.layer]),
            render.escape(name),
            *_numbers(score).values(),
            *answers[: len(classes)],
        )
    return table


def _numbers(score: "vt.ClipScore") -> dict[str, str]:
    """The columns of numbers that were asked for, with what they print."""
    texts = {"presence": f"{score.presence:+.2f}"}
    if score.directional_derivative is not None:
        texts["derivative"] = f"{score.directional_derivative:+.4f}"
    if score.target_as_is is not None:
        texts |= {"target": f"{score.target_as_is:+.2f}", "without": f"{score.target_without:+.2f}"}
    return texts
