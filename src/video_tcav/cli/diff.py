"""`video-tcav diff`: changed verdicts and effects between two runs or tests, such as those of two checkpoints."""

import math
from pathlib import Path
from typing import Annotated

import typer

import video_tcav.experiments as experiments
from video_tcav.cli import options, render
from video_tcav.core.escaping import one_line
from video_tcav.core.files import write_json
from video_tcav.gram.thresholds import LEVEL
from video_tcav.tcav.wording import comparison_name, p_text

_SHOWN = 20  # effects in the table: a screenful


def diff(
    run_a: Annotated[Path, typer.Argument(metavar="RUN_A", help="Folder of the first checkpoint's run or test.")],
    run_b: Annotated[Path, typer.Argument(metavar="RUN_B", help="That of the second.")],
    json: options.JsonFile = None,
) -> None:
    """List the verdicts and effects that changed between two runs of an experiment, or two tests."""
    changes = experiments.diff_runs(experiments.load_run(run_a), experiments.load_run(run_b))
    render.out.print(f"[bold]From[/] {render.escape(str(run_a))} [bold]to[/] {render.escape(str(run_b))}")
    if changes.settings:
        render.warn(f"The experiments differ in {', '.join(changes.settings[:8])}; changes may come from that.")
    if changes.other_clips:
        render.warn("The runs saw different clips.")
    if changes.verdicts:
        _verdicts(changes)
    if changes.effects or not changes.shares:
        _effects(changes)
    if changes.shares:
        _shares(changes)
    for word, claims in (("first", changes.only_before), ("second", changes.only_after)):
        if claims:
            render.out.print(f"Only in the {word}: {one_line('; '.join(claims))}.", markup=False)
    if json:
        write_json(json, changes.to_dict())


def _verdicts(changes: "experiments.RunDiff") -> None:
    changed = [verdict for verdict in changes.verdicts if verdict.changed]
    # Unchanged verdicts are counted alone: a diff of two checkpoints is read for what changed.
    same = len(changes.verdicts) - len(changed)
    render.out.print(f"\n{len(changed)} of {len(changes.verdicts)} verdicts changed.", markup=False)
    for verdict in changed:
        form = "{:.0%} → {:.0%}" if verdict.is_share else "{:+.2f} → {:+.2f}"
        numbers = form.format(verdict.effect_before, verdict.effect_after)
        render.out.print(f"  {verdict.before} → [bold]{verdict.after}[/]: {render.escape(verdict.claim)} ({numbers})")
    if same and changed:
        render.out.print(f"  {same} stayed as they were.", style="dim", markup=False)


def _effects(changes: "experiments.RunDiff") -> None:
    changed = [effect for effect in changes.effects if effect.p_adjusted <= LEVEL]
    steps = [effect for effect in changes.effects if math.isfinite(effect.step_p_adjusted)]
    other_steps = [effect for effect in steps if effect.step_p_adjusted <= LEVEL]
    of_steps = f", and {len(other_steps)} of {len(steps)} steps" if steps else ""
    text = f"\n{len(changed)} of {len(changes.effects)} effects changed{of_steps} (adjusted p ≤ {LEVEL})."
    render.out.print(text, markup=False)
    strong = [effect for effect in changes.effects if effect in changed or effect in other_steps]
    if not strong:
        return
    numbers = ("before", "after", "change ± error", "p", *(["step"] if steps else []))
    several = len({effect.target for effect in strong}) > 1
    table = render.table("concept", *(["target"] if several else []), "twin", "layer", numbers=numbers)
    short_layers = render.without_common_prefix([effect.layer for effect in strong])
    for effect in strong[:_SHOWN]:
        concept = comparison_name(effect.concept, effect.versus)
        table.add_row(
            render.escape(concept),
            *([render.escape(effect.target)] if several else []),
            "—" if effect.twin == "none" else render.escape(effect.twin),
            render.escape(short_layers[effect.layer]),
            f"{effect.before:+.2f}",
            f"{effect.after:+.2f}",
            f"{effect.change:+.2f} ± {effect.standard_error:.2f}",
            p_text(effect.p_adjusted),
            *([_step(effect)] if steps else []),
        )
    render.out.print(table)
    of_step = f" step: of both runs; * adjusted p ≤ {LEVEL}." if steps else ""
    render.paragraph(f"error: standard error of the change.{of_step}", style="dim")
    if len(strong) > _SHOWN:
        render.out.print(f"… and {len(strong) - _SHOWN} more; --json FILE lists all.", style="dim", markup=False)


def _shares(changes: "experiments.RunDiff") -> None:
    """Shares of audited clips whose change is shown."""
    changed = [share for share in changes.shares if share.is_changed]
    several = len({share.model for share in changes.shares}) > 1
    render.out.print(f"\n{len(changed)} of {len(changes.shares)} shares of audited clips changed.", markup=False)
    for share in sorted(changed, key=lambda share: -abs(share.change))[:_SHOWN]:
        render.line(f"  {f'{share.model}: ' if several else ''}{share.text()}")
    if changed:
        render.paragraph("At 5 %, each share by itself; change: its 95 % interval.", style="dim")


def _step(effect: "experiments.ChangedEffect") -> str:
    if math.isnan(effect.step_p_adjusted):
        return "– "
    return f"{effect.step_before:+.1f} → {effect.step_after:+.1f}{'*' if effect.step_p_adjusted <= LEVEL else ' '}"
