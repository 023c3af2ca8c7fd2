"""`video-tcav propose`: clips of detected and tracked objects, put into a concept bank for review."""

from pathlib import Path
from typing import Annotated, Literal

import typer

import video_tcav as vt
import video_tcav.proposals as proposals
from video_tcav.cli import options, render
from video_tcav.core.errors import InputError
from video_tcav.core.escaping import one_line
from video_tcav.core.model_settings import ModelSettings
from video_tcav.proposals.detector_spec import DETECTORS, detector_help, find_loader


@options.with_settings(model_options=ModelSettings)
def propose(
    *,
    model_options: ModelSettings,
    videos: options.Videos,
    bank: Annotated[Path, typer.Option(metavar="DIR", help="The concept bank; made if there is none.")],
    detector: Annotated[
        str,
        typer.Option("--detector", "-d", metavar="D", help=f"{detector_help(finds=True)}."),
    ],
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
    every_s: Annotated[float, typer.Option("--every-s", metavar="S", help="Look every so many seconds.")] = 0.2,
    most: Annotated[int, typer.Option("--max", min=1, help="Clips at most, all versions counted.")] = 500,
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
    ] = 0.4,
    embed: Annotated[
        str | None,
        typer.Option(
            metavar="M", help="Model whose activations say which clips are alike; --weights and the like are its own."
        ),
    ] = None,
    group: Annotated[
        Literal["none", "hdbscan", "kmeans"], typer.Option(help="With --embed: how groups of like clips are found.")
    ] = "hdbscan",
    threads: Annotated[int, typer.Option(min=1, help="Of an ONNX detector.")] = 2,
    seed: options.Seed = 0,
) -> None:
    """Detect objects in videos, track them, and propose clips of them for concepts.

    Run it again to go on after a stop: what is in the bank is not done twice. Then look at the clips and decide with
    `video-tcav studio BANK`.
    """
    # The model's options belong to --embed; a detector's are part of its spec, so that they are stored with each clip.
    # The device is not among them: a detector may take it, too.
    options_set = [
        name for name, value in vars(model_options).items() if value not in (None, False) and name != "device"
    ]
    if options_set and not embed:
        option = options_set[0].replace("_", "-")
        raise InputError(
            f"`--{option}` must go with --embed. Got it alone. A detector's weights are part of its name:"
            " torchvision:NAME?weights=FILE."
        )
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
