"""Sentences about an audit: what the model needs, what it says of swapped clips, and what order and motion do."""

import math
from collections.abc import Iterator
from typing import Protocol

from video_tcav.auditing.figures import AuditFigure, Share, VersionResult
from video_tcav.auditing.versions import FROZEN, ORIGINAL, PASTE_CONTROL, PERSON_ONLY, REVERSED, SCENE_ONLY
from video_tcav.core.wording import percent


class AuditNumbers(Protocol):
    """Whatever has the numbers of an audit, such as its result."""

    @property
    def model(self) -> str: ...

    def version(self, name: str, label: str | None = None) -> VersionResult | None: ...

    def figure(self, name: str, label: str | None = None) -> AuditFigure | None: ...

    def shares_of(self, label: str | None = None) -> tuple[Share, ...]: ...


def audit_sentences(result: AuditNumbers) -> Iterator[str]:
    """What was found over all classes, the most telling first."""
    original = result.version(ORIGINAL.name)
    yield (
        f"{result.model} is right about {_accuracy(original)} of {original.n_clips} clips as they are."
        if original is not None
        else f"{result.model} was asked about no clip."
    )
    if (text := shares_sentence(result)) is not None:
        yield text
    sb_err, sh_acc = result.figure("sb_err"), result.figure("sh_acc")
    if sb_err is not None and sh_acc is not None:
        yield (
            "With the person over the scene of another class, it says the scene's class for "
            f"{figure_text(sb_err)} (SBErr) and the person's for {figure_text(sh_acc)} (SHAcc)."
        )
    alone = [(name, result.version(name)) for name in (SCENE_ONLY.name, PERSON_ONLY.name)]
    texts = [f"{name.partition('_')[0]} alone {_accuracy(row)}" for name, row in alone if row is not None]
    if texts:
        yield f"Right from the {' and from the '.join(texts)}."
    texts = [
        f"{words} {_accuracy(row)}"
        for words, row in (("of one frame", result.version(FROZEN.name)), ("backwards", result.version(REVERSED.name)))
        if row is not None
    ]
    if texts:
        yield f"Right about clips {', '.join(texts)}."
    control = result.version(PASTE_CONTROL.name)
    if control is not None:
        ends = f"[{percent(control.accuracy_lost_low)}, {percent(control.accuracy_lost_high)}]"
        yield f"Pasting alone costs {percent(control.accuracy_lost, 1)} {ends} of accuracy."


def shares_sentence(result: AuditNumbers) -> str | None:
    """The shares, the largest first; `None` where none were asked for."""
    shares = result.shares_of(None)
    if not shares:
        return None
    if math.isnan(shares[0].share):
        return (
            "Shares are not defined: the model is not clearly surer of a clip's class than of a still of one colour, so there is "
            "nothing to share out."
        )
    largest = sorted(shares, key=lambda share: -share.share)
    return f"What it needs: {', '.join(share_text(share) for share in largest)} of the log-odds of the clips' classes."


def share_text(share: Share) -> str:
    """A share with its interval: `scene 71 % [65 %, 77 %]`."""
    return f"{share.player} {percent(share.share)} [{percent(share.low)}, {percent(share.high)}]"


def figure_text(figure: AuditFigure) -> str:
    """A figure with its interval."""
    return f"{percent(figure.value)} [{percent(figure.low)}, {percent(figure.high)}]"


def _accuracy(row: VersionResult | None) -> str:
    assert row is not None
    return f"{percent(row.accuracy)} [{percent(row.accuracy_low)}, {percent(row.accuracy_high)}]"
