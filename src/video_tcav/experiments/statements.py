"""Hypotheses in plain words."""

from video_tcav.experiments.file import Hypothesis
from video_tcav.tcav.wording import units

_PARTS = {"whole": "", "motion": "the motion of ", "order": "the order of the frames of "}
_VERBS = {"positive": "raises", "negative": "lowers", "either": "changes"}


def claim_text(one: Hypothesis, *, margin: float, against: str) -> str:
    """What a hypothesis says."""
    about, verb = one.about, _VERBS[one.expect]
    what = f"{_PARTS[one.part]}{about.concept}"
    small = f"by less than {margin:g} {units(against)}"
    match one.kind:
        case "matters" | "motion_matters" | "order_matters":
            return f"{what} {verb} {about.target}"
        case "more_than":
            assert one.more_than is not None
            if one.expect == "either":
                return f"{about.concept} and {one.more_than.than} move {about.target} to different degrees"
            return f"{about.concept} {verb} {about.target} more than {one.more_than.than} does"
        case "does_not_matter":
            return f"{what} does not matter for {about.target}: it changes it {small}"
        case "same_in":
            assert one.same_in is not None
            first, second = one.same_in.models
            return f"{what} matters for {about.target} as much in {first} as in {second}: they differ {small}"
