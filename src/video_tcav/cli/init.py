"""`video-tcav init`: write a model file and an experiment file from a checkpoint and folders of clips."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import video_tcav as vt
import video_tcav.experiments as experiments
from video_tcav.cli import options, render
from video_tcav.core.errors import InputError
from video_tcav.core.files import check_writable
from video_tcav.core.model_settings import ModelSettings


@options.with_settings(model_options=ModelSettings)
def init(
    *,
    model_options: ModelSettings,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="CLIPS",
            help="Folder that holds folders of clips: one named random, one named as the class, one for each concept.",
        ),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", metavar="M", help=f"{options.MODEL_HELP}.")] = None,
    target: Annotated[
        str | None,
        typer.Option(metavar="CLASS", help="Class to explain; the one that a folder is named after if not given."),
    ] = None,
    clips: Annotated[
        list[str] | None, typer.Option(metavar="PATH", help="Clips of that class, in place of its folder.")
    ] = None,
    concept: Annotated[
        list[str] | None, typer.Option(metavar="NAME=PATH", help="Clips of concepts, in place of the other folders.")
    ] = None,
    random: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="Clips without the concepts, in place of the folder random."),
    ] = None,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="The question, as the report's heading.")] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write to.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Write model.yaml and experiment.yaml, with comments, from a model and folders of clips.

    On a terminal, what is missing is asked for. Then `video-tcav run experiment.yaml` answers whether each concept matters, and
    its motion; and other commands take `--model model.yaml`.
    """
    experiments.check_new(out, force=force)  # before any question
    check_writable(out)
    settings: dict[str, Any] = {
        name: value for name, value in vars(model_options).items() if value not in (None, False)
    }
    if model is None:
        model = _asked("--model", f"Model ({options.MODEL_HELP})")
        if "weights" not in settings and (
            weights := _asked("--weights", "Weights (a file; nothing for its own)", default="")
        ):
            settings["weights"] = weights
    if folder is None and not (clips and concept and random):
        folder = Path(_asked("CLIPS", "Folder with a folder of clips for the class, each concept, and random"))
    from video_tcav.models.model_file import described_model  # noqa: PLC0415 - pydantic, which other commands need not load

    described = described_model(model, **settings)
    loaded = vt.load_model(**described.model_dump())
    given: dict[str, Any] = {"clips": clips or (), "concepts": options.parse_concepts(concept), "random": random or ()}
    try:
        paths = experiments.clip_paths(loaded, folder, target=target, **given)
    except InputError:
        if target is not None or not _on_terminal():
            raise
        target = _asked(
            "--target", f"Class to explain ({', '.join(loaded.classes[:20])}{', …' if loaded.classes[20:] else ''})"
        )
        paths = experiments.clip_paths(loaded, folder, target=target, **given)
    written = experiments.write_new_files(out, described, loaded, paths, title=title, force=force)
    concepts = render.counted(len(paths.concepts), "concept")
    render.line(
        f'Written: {written[0]} and {written[1]}, on "{paths.target}" and {concepts}: {", ".join(paths.concepts)}.'
    )
    render.random_weights(loaded)
    render.line(f"Next: video-tcav run {written[1]}")


def _on_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def _asked(option: str, question: str, default: str | None = None) -> str:
    """What the user answers; where there is no terminal, the default, or an error that names the option."""
    if _on_terminal():
        return typer.prompt(question, default=default, show_default=False).strip()
    if default is None:
        raise InputError(f"`{option}` must be given where there is no terminal to ask on. Got none. Add it.")
    return default
