"""Terminal output of an effect check: what edits do, and a row an estimate."""

import video_tcav as vt
from video_tcav.cli import render


def print_check(check: "vt.EffectCheck") -> None:
    """A sentence on the edits, and a table of estimates; those that predict edits are bold."""
    render.out.print(f"\n[bold]Do effects on {render.escape(check.target)} predict edits of its clips?[/]")
    if check.edits:
        for sentence in (check.sentences()[0], *check.masks_sentences()):
            render.paragraph(sentence)
        short_layers = render.without_common_prefix(list(dict.fromkeys(each.layer for each in check)))
        numbers = ["signs", "95 %", "rank", "95 % of rank"]
        table = render.table("layer", "estimate", "predicts edits?", *numbers, numbers=numbers)
        for each in check:
            table.add_row(
                render.escape(short_layers[each.layer]),
                each.name,
                each.conclusion_in_short,
                f"{each.right}/{each.counted}",
                f"[{each.signs_low:.2f}, {each.signs_high:.2f}]",
                f"{each.rank:+.2f}",
                f"[{each.rank_low:+.2f}, {each.rank_high:+.2f}]",
                style="bold" if each.is_above_chance else "dim" if each.looks_like_chance else "",
            )
        render.out.print(table)
        render.paragraph(
            f"signs: right ones of edits that change it by more than {check.threshold:g}. Predicts edits: both intervals lie "
            "above chance, one half of the signs and no rank correlation.",
            style="dim",
        )
    render.warn(*check.notes)
