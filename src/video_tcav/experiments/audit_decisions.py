"""Rules and words of verdicts on claims about a model: whether the interval of a share keeps the claimed bound."""

import math

from video_tcav.core.wording import p_equals, percent
from video_tcav.experiments.audit_evidence import AuditEvidence
from video_tcav.experiments.audit_wording import measured_share
from video_tcav.experiments.decisions import PValues, VerdictWord
from video_tcav.experiments.hypothesis import Hypothesis


def decide_audit(
    hypothesis: Hypothesis, measured: AuditEvidence, p_adjusted: PValues, *, level: float
) -> tuple[VerdictWord, str]:
    """The verdict, and why: supported if the share is shown to keep the bound, contradicted if it is shown to break it."""
    claim = hypothesis.audit_claim
    assert claim is not None
    bound = percent(claim.bound)
    ends = "" if math.isnan(measured.low) else f" [{percent(measured.low)}, {percent(measured.high)}]"
    size = (
        f"the {measured_share(hypothesis)} is {percent(measured.effect)}{ends} of {measured.concept_clips} clips in "
        f"{measured.concept_groups} groups"
    )
    # A share has an interval only over independent groups.
    if math.isnan(p_adjusted.equivalence):
        return "undecided", f"{size}; clips of one group have no interval"
    # `beyond` is small where the share is shown to be above the bound, `equivalence` where it is shown to be below
    keeps, breaks = (p_adjusted.beyond, p_adjusted.equivalence) if claim.claims_more else p_adjusted[1:]
    claimed, contrary = ("more", "less") if claim.claims_more else ("less", "more")
    if keeps <= level:
        return "supported", f"{size}; that it is {claimed} than {bound} is shown, adjusted p {p_equals(keeps)}"
    if breaks <= level:
        return "contradicted", f"{size}; that it is {contrary} than {bound} is shown, adjusted p {p_equals(breaks)}"
    return "undecided", (
        f"{size}; that it is {claimed} than {bound} is not shown (adjusted p {p_equals(keeps)}), nor that it is {contrary} "
        f"(adjusted p {p_equals(breaks)}); clips in more groups would narrow the interval"
    )
