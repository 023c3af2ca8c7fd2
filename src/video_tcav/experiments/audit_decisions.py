"""Rules and words of verdicts on claims about a model: whether the interval of a share keeps the claimed bound."""

import math

from video_tcav.core.wording import p_equals, percent
from video_tcav.experiments.audit_claims import AuditClaim, OrderClaim
from video_tcav.experiments.audit_evidence import AuditEvidence
from video_tcav.experiments.decisions import PValues, VerdictWord
from video_tcav.experiments.hypothesis import Hypothesis

_ORDER = {"reversed": "playing frames backwards", "shuffled": "shuffling frames"}
_NOUNS = {
    "scene_alone_suffices": "share of clips that it is right about from the scene alone",
    "person_alone_suffices": "share of clips that it is right about from the person alone",
    "background_bias": "share of swapped clips of which it says the scene's class",
}


def decide_audit(
    hypothesis: Hypothesis, measured: AuditEvidence, p_adjusted: PValues, *, level: float
) -> tuple[VerdictWord, str]:
    """The verdict, and why: supported if the share is shown to keep the bound, contradicted if it is shown to break it."""
    claim = hypothesis.audit_claim
    assert claim is not None
    bound = percent(claim.bound)
    ends = "" if math.isnan(measured.low) else f" [{percent(measured.low)}, {percent(measured.high)}]"
    size = (
        f"the {noun(hypothesis, claim)} is {percent(measured.effect)}{ends} of {measured.concept_clips} clips in "
        f"{measured.concept_groups} groups"
    )
    if math.isnan(p_adjusted.equivalence):
        return "undecided", f"{size}; clips of one group have no interval"
    keeps, breaks = (p_adjusted.beyond, p_adjusted.equivalence) if claim.claims_more else p_adjusted[1:]
    kept, broken = ("more", "less") if claim.claims_more else ("less", "more")
    if keeps <= level:
        return "supported", f"{size}; that it is {kept} than {bound} is shown, adjusted p {p_equals(keeps)}"
    if breaks <= level:
        return "contradicted", f"{size}; that it is {broken} than {bound} is shown, adjusted p {p_equals(breaks)}"
    return "undecided", (
        f"{size}; that it is {kept} than {bound} is not shown (adjusted p {p_equals(keeps)}), nor that it is {broken} "
        f"(adjusted p {p_equals(breaks)}); clips in more groups would narrow the interval"
    )


def noun(hypothesis: Hypothesis, claim: AuditClaim) -> str:
    """What is measured."""
    if isinstance(claim, OrderClaim):
        return f"accuracy that {_ORDER[claim.when]} costs"
    return _NOUNS[hypothesis.kind]


def audit_unit(hypothesis: Hypothesis) -> str:
    """What the share is of."""
    return {"order_matters": "of accuracy", "background_bias": "of the swapped clips"}.get(hypothesis.kind, "of the clips")


def audit_claim_text(hypothesis: Hypothesis) -> str:
    """The claim of a hypothesis about a model."""
    claim = hypothesis.audit_claim
    assert claim is not None
    share = f"{'at least' if claim.claims_more else 'at most'} {percent(claim.bound)}"
    of_class = f" of {claim.label}" if claim.label else ""
    match hypothesis.kind:
        case "scene_alone_suffices":
            return f"the scene alone suffices for {share} of the clips{of_class}"
        case "person_alone_suffices":
            return f"the person alone suffices for {share} of the clips{of_class}"
        case "background_bias":
            return f"{share} of the swapped clips{of_class} are taken for the scene's class"
    assert isinstance(claim, OrderClaim)
    return f"{_ORDER[claim.when]} costs {share} of accuracy{f' on clips{of_class}' if of_class else ''}"
