"""`video-tcav propose`: clips of tracked objects, or of windows that are like a text, put into a concept bank for review."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import video_tcav as vt
import video_tcav.proposals as proposals
from video_tcav.cli import options, render
from video_tcav.core.errors import InputError
from video_tcav.core.escaping import one_line
from video_tcav.core.model_settings import ModelSettings
from video_tcav.proposals.detector_spec import DETECTORS, detector_help, find_loader
from video_tcav.words.encoder_spec import encoder_help

_EVERY_S, _MOST, _START_SCORE, _GROUP, _TOP = 0.2, 500, 0.4, "hdbscan", 20  # defaults


@options.with_settings(model_options=ModelSettings)
def propose(
    *,
    model_options: ModelSettings,
    videos: options.Videos,
    bank: Annotated[Path, typer.Option(metavar="DIR", help="The concept bank; made if there is none.")],
    detector: Annotated[
        str | None,
        typer.Option("--detector", "-d", metavar="D", help=f"{detector_help(finds=True)}."),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="In place of a detector: a concept in words, such as 'swinging a racket'."),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(metavar="E", help=f"With --text: what embeds clips and texts in one space: {encoder_help()}."),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            min=1, help=f"With --text: clips of each text at most. [dim]default: {_TOP}[/]", show_default=False
        ),
    ] = None,
    words: options.WordFile = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="What to find. [dim]default: all that it knows[/]",
            show_default=False,
        ),
    ] = None,
    motion: Annotated[
        bool, typer.Option("--motion", help="Also propose what moves and has no name otherwise.")
    ] = False,
    negatives: Annotated[
        bool, typer.Option("--negatives", help='Also propose places of like size without the label, as "not LABEL".')
    ] = False,
    every_s: Annotated[float, typer.Option("--every-s", metavar="S", help="Look every so many seconds.")] = _EVERY_S,
    most: Annotated[int, typer.Option("--max", min=1, help="Clips at most, all versions counted.")] = _MOST,
    versions: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="Versions of each tube. [dim]default: moving, still, focus and scene[/]",
            show_default=False,
        ),
    ] = None,
    piece_s: Annotated[float, typer.Option("--piece-s", metavar="S", help="Approximate length of a clip.")] = 2.0,
    start_score: Annotated[
        float, typer.Option("--score", metavar="X", help="Confidence that a tube must start with.")
    ] = _START_SCORE,
    embed: Annotated[
        str | None,
        typer.Option(
            metavar="M", help="Model whose activations say which clips are alike; --weights and the like are its own."
        ),
    ] = None,
    group: Annotated[
        Literal["none", "hdbscan", "kmeans"], typer.Option(help="With --embed: how groups of like clips are found.")
    ] = _GROUP,
    threads: Annotated[int, typer.Option(min=1, help="Of an ONNX detector.")] = 2,
    seed: options.Seed = 0,
) -> None:
    """Detect objects in videos, track them, and propose clips of them for concepts; or find clips by words.

    Run it again to go on after a stop: what is in the bank is not done twice. Then look at the clips and decide with
    `video-tcav studio BANK`.
    """
    if text or encoder or words:
        # Those of a detector do nothing here, so that one that was set is a mistake; but for --threads and --seed, which may be
        # defaults of all commands.
        of_detectors: dict[str, tuple[Any, Any]] = {
            "detector": (detector, None),
            "label": (label or None, None),
            "motion": (motion, False),
            "negatives": (negatives, False),
            "every-s": (every_s, _EVERY_S),
            "max": (most, _MOST),
            "versions": (versions or None, None),
            "score": (start_score, _START_SCORE),
            "embed": (embed, None),
            "group": (group, _GROUP),
        }
        without_effect = [name for name, (value, default) in of_detectors.items() if value != default]
        _propose_by_text(videos, bank, text, encoder, top or _TOP, words, piece_s, model_options, without_effect)
        return
    if top is not None:
        raise InputError("`--top` must go with --text. Got it alone. Use --max with a detector.")
    if detector is None:
        raise InputError(
            "`--detector` must be given, or --text with --encoder. Got neither. Write, for example, --detector motion."
        )
    # The model's options belong to --embed; a detector's are part of its spec, so that they are stored with each clip.
    # The device is not among them: a detector may take it, too.
    if not embed:
        _refuse_model_options(model_options, "alone")
    if model_options.device not in (None, "auto") and not embed and not find_loader(detector)[0].takes_device:
        schemes = ", ".join(f"{name}:" for name in DETECTORS.names() if DETECTORS[name].takes_device)
        raise InputError(
            f"`--device` must go with --embed, or a detector that takes it ({schemes}). Got it with {detector}, which runs"
            " on the CPU. Leave it out."
        )
    model = vt.load_model(embed, **vars(model_options)) if embed else None
    result = proposals.propose(
        videos,
        bank,
        detector=detector,
        labels=label or None,
        motion=motion,
        every_s=every_s,
        max_clips=most,
        embed=model,
        group=group,
        negatives=negatives,
        threads=threads,
        device=model_options.device or "auto",
        seed=seed,
        progress=True,
        piece_s=piece_s,
        start_score=start_score,
        **({"kinds": tuple(versions)} if versions else {}),
    )
    _print(result, bank)
    if model:
        render.random_weights(model)
    render.skipped(result.skipped)


def _refuse_model_options(model_options: ModelSettings, how: str) -> None:
    """Refuse options of a model where none is loaded, but for the device."""
    for name, value in vars(model_options).items():
        if value not in (None, False) and name != "device":
            option = name.replace("_", "-")
            raise InputError(
                f"`--{option}` must go with --embed. Got it {how}. A detector's weights are part of its name:"
                " torchvision:NAME?weights=FILE."
            )


def _propose_by_text(
    videos: list[str],
    bank: Path,
    texts: list[str] | None,
    encoder: str | None,
    top: int,
    words: Path | None,
    length_s: float,
    model_options: ModelSettings,
    without_effect: Sequence[str],
) -> None:
    if without_effect:
        raise InputError(
            f"`--{without_effect[0]}` must not be given with --text. Got both. Search by words, or run a detector: leave one out."
        )
    if not texts or not encoder:
        given, missing = ("--text", "--encoder") if texts else ("--encoder or --words", "--text")
        raise InputError(f"`{given}` must go with {missing}. Got it alone. Give {missing}, too.")
    _refuse_model_options(model_options, "with --text")
    result = proposals.propose_by_text(
        videos,
        bank,
        texts=texts,
        encoder=encoder,
        top=top,
        length_s=length_s,
        words=options.read_word_file(words),
        device=model_options.device or "auto",
        progress=True,
    )
    for sentence in result.sentences():
        render.line(sentence)
    render.line(f"\n{result.windows} windows of {result.videos} videos were compared with {result.words} other words.")
    render.skipped(result.skipped)
    render.line(f"{result.clips} new clips: {bank}")


def _print(result: "proposals.Proposals", bank: Path) -> None:
    if result.counts:
        table = render.table("concept", numbers=("tubes", "clips", "videos"))
        for count in result.counts:
            table.add_row(render.escape(count.concept), str(count.tubes), str(count.clips), str(count.videos))
        render.out.print(table)
    else:
        render.out.print("Nothing new was proposed.")
    if result.groups:
        groups = ", ".join(f"{name} ({tubes})" for name, tubes in result.groups.items())
        render.line(f"\nGroups of like clips: {one_line(groups)}")
    facts = [f"{result.videos} videos gone through"]
    if result.done_before:
        facts.append(f"{result.done_before} done before")
    if result.duplicates:
        facts.append(f"{result.duplicates} duplicates left out")
    if result.detector_frames:
        facts.append(f"{result.detector_frames} detector frames at {result.frames_per_s:.1f}/s")
    render.line(f"\n{'; '.join(facts)}.")
    if result.limited:
        render.warn("There is more than --max allows.")
    render.line(f"{result.clips} new clips: {bank}")
