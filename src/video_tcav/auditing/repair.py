"""Repair: concepts erased from a model, and what that does to its answers, on clips as they are, swapped, and without them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from jaxtyping import Bool

from video_tcav.auditing.answers import AuditAnswers
from video_tcav.auditing.group_intervals import Estimate, GroupIntervals, interval_columns
from video_tcav.auditing.plan import AuditQuestion
from video_tcav.auditing.result import AuditResult
from video_tcav.auditing.run import audit_models
from video_tcav.auditing.settings import REPAIR_NOT_TAKEN, AuditSettings
from video_tcav.auditing.versions import ORIGINAL, SWAP
from video_tcav.concepts.concept import Sources
from video_tcav.core.checks import require
from video_tcav.core.displays import PlainText, html_heading, html_table
from video_tcav.core.files import check_file_writable
from video_tcav.core.item_sequence import ItemSequence
from video_tcav.core.provenance import provenance
from video_tcav.core.settings import takes_settings
from video_tcav.core.wording import percent
from video_tcav.media import Skipped
from video_tcav.models import VideoModel
from video_tcav.models.erasure import Erasure, with_erasure
from video_tcav.recording.settings import RecordingSettings
from video_tcav.tcav.erasure import erase_cavs
from video_tcav.tcav.saved_cavs import SavedCav

MARGIN = 0.02
"""By which accuracy on clips without the concepts may fall: two points of a hundred."""
OWN, SWAPPED, CONCEPT_FREE = "own clips", "swapped clips", "concept-free clips"


@dataclass(frozen=True, kw_only=True)
class RepairFigure:
    """One figure before and after concepts were erased, on the same clips; intervals are 95 %, by groups.

    Attributes:
        clips: `own clips`, `swapped clips` or `concept-free clips`.
        measure: `accuracy`, `log_odds` of the clip's class, or `sb_err`, the share of swapped clips of which the model says the
            class of the scene.
        n_clips: clips that it is of.
        before: of the model as it was.
        before_low: lower end of its interval.
        before_high: upper end.
        after: of the repaired model.
        after_low: lower end of its interval.
        after_high: upper end.
        change: after less before, clip by clip.
        change_low: lower end of its interval.
        change_high: upper end.
    """

    clips: str
    measure: str
    n_clips: int
    before: float
    before_low: float
    before_high: float
    after: float
    after_low: float
    after_high: float
    change: float
    change_low: float
    change_high: float


@dataclass(frozen=True, kw_only=True, repr=False)
class Repair(ItemSequence[RepairFigure]):
    """What erasing concepts does to a model: a sequence of `RepairFigure`.

    Attributes:
        model: name of the model.
        erasure: what was taken out of it.
        figures: on its own clips, swapped ones, and clips without the concepts.
        margin: by which accuracy on clips without the concepts may fall.
        skipped: clips that could not be used, and why.
        warnings: what a reader must know.
        provenance: versions of packages, settings, digests.
    """

    FIELD: ClassVar[str] = "figures"

    model: str
    erasure: Erasure = field(repr=False)
    figures: tuple[RepairFigure, ...]
    margin: float
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...]
    provenance: Mapping[str, Any]

    def figure(self, clips: str, measure: str = "accuracy") -> RepairFigure | None:
        """The figure of some clips; `None` if it was not taken."""
        return next((each for each in self if (each.clips, each.measure) == (clips, measure)), None)

    @property
    def is_accepted(self) -> bool:
        """Whether accuracy on clips without the concepts falls by no more than the margin."""
        free = self.figure(CONCEPT_FREE)
        return free is not None and -free.change <= self.margin

    def repaired(self, model: VideoModel) -> VideoModel:
        """The model without the concepts; a copy, as the model itself is not changed."""
        return with_erasure(model, self.erasure)

    def sentences(self) -> tuple[str, ...]:
        """What became better and what worse, in plain words."""
        return tuple(self._sentences())

    def _sentences(self) -> Iterator[str]:
        names, swapped, own = " and ".join(self.erasure.concepts), self.figure(SWAPPED, "sb_err"), self.figure(OWN)
        free = self.figure(CONCEPT_FREE)
        if swapped is not None:
            yield (
                f"Without {names} at {self.erasure.layer}, {self.model} says the scene's class of "
                f"{_interval(swapped, 'after')} of {swapped.n_clips} swapped clips, and {_interval(swapped, 'before')} as it was."
            )
        for figure in (own, free):
            if figure is not None:
                yield (
                    f"It is right about {_interval(figure, 'after')} of {figure.n_clips} {figure.clips}, and was about "
                    f"{_interval(figure, 'before')}: a change of {_points(figure)}."
                )
        if free is not None and not self.is_accepted:
            yield (
                f"Refused: accuracy on clips without the concepts falls by {-100 * free.change:.1f} points, more than the margin "
                f"of {100 * self.margin:g}."
            )
        elif free is not None and -free.change_low > self.margin:
            yield (
                f"Not shown to be within the margin of {100 * self.margin:g} points: accuracy on clips without the concepts may "
                f"have fallen by {-100 * free.change_low:.1f}. More such clips would tell."
            )

    def to_frame(self) -> pd.DataFrame:
        """One row a figure."""
        return pd.DataFrame([asdict(figure) for figure in self], columns=[f.name for f in fields(RepairFigure)])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the JSON file."""
        return {
            "provenance": dict(self.provenance),
            "skipped": [{"path": each.path, "reason": each.reason} for each in self.skipped],
            "warnings": list(self.warnings),
            "layer": self.erasure.layer,
            "concepts": list(self.erasure.concepts),
            "directions": len(self.erasure.values),
            "margin": self.margin,
            "accepted": self.is_accepted,
            "figures": [{name: _finite(value) for name, value in asdict(figure).items()} for figure in self.figures],
        }

    def summary(self) -> str:
        """Plain sentences, then what to beware of."""
        return PlainText("\n".join([*self.sentences(), *(f"Caution: {text}" for text in self.warnings)]))

    def __repr__(self) -> str:
        return f"<Repair of {self.model}: {', '.join(self.erasure.concepts)}, {'accepted' if self.is_accepted else 'refused'}>"

    def _repr_html_(self) -> str:
        columns = ("clips", "measure", "before", "after", "change", "95 %")
        rows = [
            [
                *(each.clips, each.measure, f"{each.before:.3g}", f"{each.after:.3g}", f"{each.change:+.3g}"),
                f"[{each.change_low:+.3g}, {each.change_high:+.3g}]",
            ]
            for each in self
        ]
        return html_heading(self.sentences()[0]) + html_table(columns, rows, numbers=columns[2:])


@takes_settings(audit_settings=AuditSettings, recording=RecordingSettings, leave_out=REPAIR_NOT_TAKEN)
def erase(
    model: VideoModel,
    cavs: Sequence[SavedCav],
    *,
    clips: Sources | Mapping[str, Sources],
    concept_free: Sources | Mapping[str, Sources],
    swap: bool = True,
    margin: float = MARGIN,
    group: str = "video",
    seed: int = 0,
    out: str | Path | None = None,
    progress: bool = False,
    audit_settings: AuditSettings,
    recording: RecordingSettings,
) -> Repair:
    """Project concepts out of a model, and say what that does to its answers.

    All coordinates in the span of the CAVs get the values of random clips, for good: behind the layer nothing can depend on them.
    A direction that the class itself needs costs accuracy, so the model is compared with itself on three sets of clips.

    Args:
        model: from `load_model`.
        cavs: of one layer, from `load_cavs`; all concepts are erased together.
        clips: labelled clips of the model's own world, as for `audit`.
        concept_free: labelled clips on which the concepts say nothing about the class: there the repaired model must be as good.
        swap: whether the person of each clip is also put over the scene of another class, which needs masks.
        margin: by which accuracy on `concept_free` may fall, in [0, 1].
        group: what is independent, as for `audit`.
        seed: of every random draw.
        out: the safetensors file, for `load_model(…, erased=…)`; written only if the repair is accepted.
        progress: whether to show progress bars on standard error.
        audit_settings: of the audit of swapped clips; its fields are keywords of this function.
        recording: how clips are passed; likewise.

    Returns:
        Accuracy and log-odds before and after, with intervals by groups; `erasure` for `with_erasure`.

    Raises:
        VideoTcavError: one of its kinds, with a cure in the message.
    """
    require(0 <= margin <= 1, "margin", "be in [0, 1]", margin, "0.02 is two points.")
    if out is not None:
        check_file_writable(Path(out))
    erasure = erase_cavs(model, cavs)
    repaired = with_erasure(model, erasure)
    settings = audit_settings.with_values(shares=False)
    # both in one audit: each clip is decoded and masked once, and gets the same scene in both, so that pairs can be compared
    models, asked = (model, repaired), {"group": group, "seed": seed}
    question = AuditQuestion(clips=clips, versions=((SWAP if swap else ORIGINAL).name,), **asked)
    own = audit_models(models, question, settings, recording, progress=progress)
    settings = settings.with_values(masks=AuditSettings().masks)  # nothing is swapped there
    question = AuditQuestion(clips=concept_free, versions=(ORIGINAL.name,), **asked)
    free = audit_models(models, question, settings, recording, progress=progress)
    noted = audit_settings.for_provenance() | {"swap": swap, "margin": margin, "group": group, "seed": seed}
    repair = Repair(
        model=model.name,
        erasure=erasure,
        figures=tuple(_figures(own, free, audit_settings.bootstraps, seed)),
        margin=margin,
        skipped=tuple(dict.fromkeys((*own[0].skipped, *free[0].skipped))),
        warnings=tuple(dict.fromkeys((*own[0].warnings, *free[0].warnings))),
        provenance=provenance(
            settings=noted,
            model={"name": model.name, "weights": model.weights_digest},
            clips=own[0].provenance["clips"],
            concept_free=free[0].provenance["clips"],
        ),
    )
    if out is not None and repair.is_accepted:
        erasure.save(out)
    return repair


def _figures(own: Sequence[AuditResult], free: Sequence[AuditResult], draws: int, seed: int) -> Iterator[RepairFigure]:
    for name, audits in ((OWN, own), (CONCEPT_FREE, free)):
        yield from _compared(name, ORIGINAL.name, [each.answers for each in audits], draws, seed)
    if SWAP.name in own[0].answers.versions:
        yield from _compared(SWAPPED, SWAP.name, [each.answers for each in own], draws, seed)


def _compared(
    clips: str, version: str, answers: Sequence[AuditAnswers], draws: int, seed: int
) -> Iterator[RepairFigure]:
    """Figures of one version, before and after, over the clips that have it."""
    before, after = (each.versions[version] for each in answers)
    passed = before.passed & after.passed
    intervals = GroupIntervals.draw(answers[0].groups, draws, seed).subset(passed)
    yield _share(clips, "accuracy", intervals, before.right[passed], after.right[passed])
    values = [each.log_odds[passed] for each in (before, after)]
    yield _row(clips, "log_odds", int(passed.sum()), *map(intervals.mean, (*values, values[1] - values[0])))
    if version == SWAP.name:
        yield _share(clips, "sb_err", intervals, before.says_lender[passed], after.says_lender[passed])


def _share(
    clips: str,
    measure: str,
    intervals: GroupIntervals,
    before: Bool[np.ndarray, " clip"],
    after: Bool[np.ndarray, " clip"],
) -> RepairFigure:
    gained = intervals.lost_share(after, before)
    return _row(clips, measure, len(before), intervals.share(before), intervals.share(after), gained)


def _row(clips: str, measure: str, n_clips: int, before: Estimate, after: Estimate, change: Estimate) -> RepairFigure:
    columns = interval_columns({"before": before, "after": after, "change": change})
    return RepairFigure(clips=clips, measure=measure, n_clips=n_clips, **columns)


def _interval(figure: RepairFigure, name: str) -> str:
    value, low, high = (getattr(figure, f"{name}{end}") for end in ("", "_low", "_high"))
    return f"{percent(value)} [{percent(low)} to {percent(high)}]"


def _points(figure: RepairFigure) -> str:
    return f"{100 * figure.change:+.1f} points [{100 * figure.change_low:+.1f}, {100 * figure.change_high:+.1f}]"


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
