"""Wording of claims about a model: what is measured, in which unit, and what is claimed."""

from video_tcav.core.wording import percent
from video_tcav.experiments.audit_claims import OrderClaim
from video_tcav.experiments.hypothesis import Hypothesis

_ORDER = {"reversed": "playing frames backwards", "shuffled": "shuffling frames"}
_NOUNS = {
    "scene_alone_suffices": "share of clips that it is right about from the scene alone",
    "person_alone_suffices": "share of clips that it is right about from the person alone",
    "background_bias": "share of swapped clips of which it says the scene's class",
}


def measured_share(hypothesis: Hypothesis) -> str:
    """What is measured."""
    claim = hypothesis.audit_claim
    if isinstance(claim, OrderClaim):
        return f"accuracy that {_ORDER[claim.when]} costs"
    return _NOUNS[hypothesis.kind]


def audit_unit(hypothesis: Hypothesis) -> str:
    """What the share is of."""
    return {"order_matters": "of accuracy", "background_bias": "of the swapped clips"}.get(
        hypothesis.kind, "of the clips"
    )


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
