"""Answer of an audit in plain words: what was asked, what the model needs, how sure that is, and what was not shown."""

import math
from collections.abc import Iterator

from video_tcav.auditing import AuditResult
from video_tcav.core.wording import percent
from video_tcav.reports.run.answer import Answer

_NOT_SHOWN = (
    "Which part of the person or the scene it needs, and why. Concepts and discovery ask that.",
    "What it would say of other clips than these, or of edits that were not made.",
)


def answer(result: AuditResult) -> Answer:
    """The answer, from the numbers over all classes."""
    return Answer(
        asked=_asked(result),
        findings=(("", tuple(_findings(result))),),
        sure=tuple(_sure(result)),
        not_shown=(*_unknown(result), *_NOT_SHOWN),
    )


def _asked(result: AuditResult) -> str:
    clips, groups = result.answers.clips, {clip.group for clip in result.answers.clips}
    masks = f" Who is the person, {result.masks} says." if result.masks else ""
    return (
        "Does the model need the person or the scene, motion or one frame, the order of frames? "
        f"{len(clips)} clips of {len(result.labels)} classes, in {len(groups)} independent groups, were shown to it as they are "
        "and with one thing changed."
        f"{masks}"
    )


def _findings(result: AuditResult) -> Iterator[str]:
    """What was found, in few words: intervals stand beside the bar and in the tables."""
    shares = sorted(result.shares_of(), key=lambda share: -share.share)
    if shares and not math.isnan(shares[0].share):
        others = ", ".join(f"{share.player} {percent(share.share)}" for share in shares[1:])
        yield f"The {shares[0].player} most of all: {percent(shares[0].share)} of the log-odds are due to it ({others})."
    accuracies = {row.version: percent(row.accuracy) for row in result if row.label is None}
    yield f"It is right about {accuracies['original']} of the clips as they are."
    texts = [
        f"{accuracies[name]} {words}"
        for name, words in (
            ("scene_only", "with the person removed"),
            ("person_only", "with the scene removed"),
            ("frozen", "from one frame"),
            ("reversed", "played backwards"),
        )
        if name in accuracies
    ]
    if texts:
        yield f"It is still right about {', '.join(texts)}."
    sb_err, sh_acc = result.figure("sb_err"), result.figure("sh_acc")
    if sb_err is not None and sh_acc is not None:
        yield (
            "With the person over the scene of another class it follows the scene for "
            f"{percent(sb_err.value)} of the clips, and the person for {percent(sh_acc.value)}."
        )


def _sure(result: AuditResult) -> Iterator[str]:
    yield "Intervals are 95 %, by groups of clips."
    control = result.version("paste_control")
    if control is not None:
        # with the interval: that few clips lose nothing does not show that pasting costs nothing
        low, high = percent(control.accuracy_lost_low), percent(control.accuracy_lost_high)
        yield (
            f"The edits themselves cost {percent(control.accuracy_lost, 1)} [{low} to {high}] of accuracy, where a person is "
            "pasted where it was."
        )
    if result.is_boxes:
        yield "The masks are only boxes, which hold some of the scene."


def _unknown(result: AuditResult) -> Iterator[str]:
    shares = result.shares_of()
    if not shares:
        yield "Shares of order, motion, scene and person, which were not asked for."
    elif math.isnan(shares[0].share):
        yield "Shares: there are no log-odds to share out."
    elif not any(share.player == "object" for share in shares):
        yield (
            "Whether it needs the object: the masks tell no objects, and what a person holds is part of the person or of the "
            "scene."
        )
