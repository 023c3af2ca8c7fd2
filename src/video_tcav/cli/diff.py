"""`video-tcav diff`: what changed between two runs of an experiment, such as those of two checkpoints."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

import video_tcav.experiments as experiments
from video_tcav.cli import options, render
from video_tcav.core.escaping import one_line
from video_tcav.core.files import check_file_writable, write_json
from video_tcav.tcav.wording import comparison_name, p_text

_SHOWN = 20


def diff(
    run_a: Annotated[Path, typer.Argument(metavar="RUN_A", help="Run directory of the first checkpoint.")],
    run_b: Annotated[Path, typer.Argument(metavar="RUN_B", help="Run directory of the second.")],
    json: options.JsonFile = None,
) -> None:
    """Say which verdicts and effects changed between two runs of an experiment."""
    if json:
        check_file_writable(json)
    found = experiments.diff_runs(experiments.load_run(run_a), experiments.load_run(run_b))
    render.out.print(f"[bold]From[/] {render.escape(str(run_a))} [bold]to[/] {render.escape(str(run_b))}")
    if found.settings:
        text = f"! The experiments differ in {one_line(', '.join(found.settings[:8]))}; changes may come from there."
        render.out.print(text, style="yellow", markup=False)
    if found.other_clips:
        render.out.print("! The runs saw different clips.", style="yellow", markup=False)
    _verdicts(found)
    _effects(found)
    for word, claims in (("first", found.only_before), ("second", found.only_after)):
        if claims:
            render.out.print(f"Only in the {word}: {one_line('; '.join(claims))}.", markup=False)
    if json:
        write_json(json, found.to_dict())


def _verdicts(found: "experiments.RunDiff") -> None:
    changed = [one for one in found.verdicts if one.changed]
    same = len(found.verdicts) - len(changed)
    render.out.print(f"\n{len(changed)} of {len(found.verdicts)} verdicts changed.", markup=False)
    for one in changed:
        numbers = f"{one.effect_before:+.2f} → {one.effect_after:+.2f}"
        render.out.print(f"  {one.before} → [bold]{one.after}[/]: {render.escape(one.claim)} ({numbers})")
    if same and changed:
        render.out.print(f"  {same} stayed as they were.", style="dim", markup=False)


def _effects(found: "experiments.RunDiff") -> None:
    strong = [one for one in found.effects if one.p_adjusted <= render.LEVEL]
    render.out.print(
        f"\n{len(strong)} of {len(found.effects)} effects changed (adjusted p ≤ {render.LEVEL}).", markup=False
    )
    if not strong:
        return
    table = Table(box=None, pad_edge=False)
    for name in ("concept", "target", "twin", "layer"):
        table.add_column(name)
    for name in ("before", "after", "change ± standard error", "p"):
        table.add_column(name, justify="right")
    for one in strong[:_SHOWN]:
        concept = comparison_name(one.concept, one.versus)
        table.add_row(
            render.escape(concept),
            render.escape(one.target),
            "—" if one.twin == "none" else render.escape(one.twin),
            render.escape(one.layer),
            f"{one.before:+.2f}",
            f"{one.after:+.2f}",
            f"{one.change:+.2f} ± {one.standard_error:.2f}",
            p_text(one.p_adjusted),
        )
    render.out.print(table)
    if len(strong) > _SHOWN:
        render.out.print(f"… and {len(strong) - _SHOWN} more; --json FILE lists all.", style="dim", markup=False)
