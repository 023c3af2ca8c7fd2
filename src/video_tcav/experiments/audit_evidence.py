"""Evidence on claims about a model: a share of its audited clips, with tests that belong to the interval."""

from dataclasses import dataclass

import numpy as np

from video_tcav.auditing.group_intervals import GroupIntervals
from video_tcav.auditing.result import AuditResult
from video_tcav.auditing.versions import ORIGINAL, PASTE_CONTROL
from video_tcav.core.wording import percent
from video_tcav.experiments.evidence import Evidence
from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.gram.grouped_share import GroupedShare
from video_tcav.models.class_names import class_of_label

_PASTING = 0.01
"""Accuracy that pasting alone may cost without a caution: a point."""


@dataclass(frozen=True, kw_only=True)
class AuditEvidence(Evidence):
    """A share of audited clips; its `concept_clips` and `concept_groups` are those of the audit.

    Attributes:
        below: p of the claimed share or more.
        above: p of the claimed share or less.
    """

    below: float
    above: float

    def smaller_p(self, margin: float) -> float:
        return self.below

    def larger_p(self, margin: float) -> float:
        return self.above


def audit_evidence(hypothesis: Hypothesis, result: AuditResult, *, bootstraps: int, seed: int) -> AuditEvidence | None:
    """The evidence on a claim about a model.

    Both p-values are twice the one-sided ones, so that at a level of 5 % and with one claim the verdict is whether the whole
    95 % interval keeps the bound, or breaks it.

    Args:
        hypothesis: about the model.
        result: of its audit.
        bootstraps: of the audit, whose draws are made again.
        seed: likewise.

    Returns:
        `None` where there is no such version of any clip.
    """
    claim, answers = hypothesis.audit_claim, result.answers
    version = answers.versions.get(hypothesis.audit_version or "")
    if claim is None or version is None:
        return None
    chosen = version.passed.copy()
    if claim.label is not None:
        chosen &= np.asarray(answers.labels) == class_of_label(answers.classes, claim.label)
    if not chosen.any():
        return None
    if hypothesis.kind == "order_matters":
        # drawn over all clips before some are chosen, as the audit does: the interval is the one that it reports
        intervals = GroupIntervals.draw(answers.groups, bootstraps, seed).subset(chosen)
        before, after = answers.versions[ORIGINAL.name].right[chosen], version.right[chosen]
        effect, low, high = intervals.lost_share(before, after)
        p_values = intervals.lost_share_p(before, after, claim.bound)
    else:
        counted = version.says_lender if hypothesis.kind == "background_bias" else version.right
        share = GroupedShare.of(counted[chosen], answers.groups[chosen].tolist())
        effect, (low, high) = share.share, share.score_interval()
        p_values = share.score_p(claim.bound)
    # NaN, which is unequal to itself, stays NaN
    below, above = (float(min(1.0, 2 * p)) if p == p else p for p in p_values)
    groups = len(np.unique(answers.groups[chosen]))
    return AuditEvidence(
        effect=float(effect),
        low=float(low),
        high=float(high),
        standard_error=np.nan,
        freedom=max(1.0, groups - 1.0),
        p_value=np.nan,
        represented=True,
        concept_groups=groups,
        concept_clips=int(chosen.sum()),
        below=below,
        above=above,
    )


def audit_cautions(hypothesis: Hypothesis, result: AuditResult) -> tuple[str, ...]:
    """What belongs beside a verdict on edited pixels: masks that hold some of the scene, and what pasting alone does."""
    if hypothesis.kind == "order_matters":
        return ()
    # Boxes leave scene around the person, so that a swap shows less of a shortcut than there is.
    cautions = ["masks are boxes, which take some of the scene along with the person"] if result.is_boxes else []
    control = result.version(PASTE_CONTROL.name)
    if control is not None and control.accuracy_lost_low > _PASTING and hypothesis.kind != "scene_alone_suffices":
        cautions.append(
            f"pasting the person over its own scene alone costs {percent(control.accuracy_lost)} of accuracy"
        )
    return tuple(cautions)
