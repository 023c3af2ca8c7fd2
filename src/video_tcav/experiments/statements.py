"""A hypothesis as an English sentence."""

from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.tcav.wording import units

_PARTS = {"whole": "", "motion": "the motion of ", "order": "the order of the frames of "}
_VERBS = {"positive": "raises", "negative": "lowers", "either": "changes"}


def claim_text(hypothesis: Hypothesis, *, margin: float, against: str) -> str:
    """The claim of a hypothesis."""
    about, verb = hypothesis.about, _VERBS[hypothesis.expect]
    subject = f"{_PARTS[hypothesis.part]}{about.concept}"
    small = f"by less than {margin:g} {units(against)}"
    match hypothesis.kind:
        case "matters" | "motion_matters" | "order_matters":
            return f"{subject} {verb} {about.target}"
        case "more_than":
            assert hypothesis.more_than is not None
            if hypothesis.expect == "either":
                return f"{about.concept} and {hypothesis.more_than.than} move {about.target} to different degrees"
            return f"{about.concept} {verb} {about.target} more than {hypothesis.more_than.than} does"
        case "does_not_matter":
            return f"{subject} does not matter for {about.target}: it changes it {small}"
        case "same_in":
            assert hypothesis.same_in is not None
            first, second = hypothesis.same_in.models
            return f"{subject} matters for {about.target} as much in {first} as in {second}: they differ {small}"
