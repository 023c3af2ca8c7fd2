"""Claims about a model against the definition: shares counted by hand, bounds against intervals, Holm over the family."""

import math

import numpy as np
import pytest

from tests.unit.auditing.result_by_hand import LABELS, audited
from video_tcav.experiments import Experiment
from video_tcav.experiments.audit_evidence import audit_cautions, audit_evidence
from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.experiments.verdicts import judge


def evidence_on(result, **claim):
    return audit_evidence(Hypothesis.model_validate(claim), result, bootstraps=400, seed=0)


def verdicts(result, *claims, correction="holm"):
    experiment = Experiment.model_validate(
        {
            "title": "by hand",
            "model": "rendered:r2plus1d-scene",
            "audit": {"clips": "clips", "bootstraps": 400},
            "statistics": {"correction": correction},
            "hypotheses": list(claims),
        }
    )
    audits = {"rendered:r2plus1d-scene": result}
    return judge(experiment, [], list(range(len(claims))), audits)


@pytest.fixture(scope="module")
def result():
    astray = {
        "reversed": ["walk"] * 12 + ["run"] * 8 + ["walk"] * 20,
        "scene_only": ["run"] * 4 + ["swim"] * 16 + ["walk"] * 2 + ["swim"] * 18,
        "person_only": ["run"] * 20 + ["walk"] * 16 + ["run"] * 4,
        "swap": ["walk"] * 15 + ["run"] * 5 + ["run"] * 5 + ["swim"] * 15,
    }
    return audited(astray)


@pytest.mark.parametrize(
    ("claim", "share"),
    [
        ({"order_matters": {"at_least": 0.1}}, 12 / 40),
        ({"order_matters": {"at_least": 0.1, "label": "walk"}}, 0),
        ({"scene_alone_suffices": {"at_most": 0.2}}, 6 / 40),
        ({"person_alone_suffices": {"at_least": 0.7}}, 36 / 40),
        ({"person_alone_suffices": {"at_least": 0.7, "label": "Walk"}}, 16 / 20),
        ({"background_bias": {"at_most": 0.05}}, 20 / 40),
        ({"background_bias": {"at_most": 0.05, "label": "run"}}, 15 / 20),
    ],
)
def test_shares_are_counted_with_the_interval_of_the_audit(result, claim, share):
    measured = evidence_on(result, **claim)
    assert measured.effect == pytest.approx(share)
    about = next(iter(claim.values()))
    label = {"walk": "walk", "Walk": "walk", "run": "run"}.get(about.get("label"))
    assert measured.concept_clips == (40 if label is None else 20)
    name = {"order_matters": "order_reversed", "background_bias": "sb_err"}.get(next(iter(claim)))
    if name is None:
        row = result.version("scene_only" if "scene_alone_suffices" in claim else "person_only", label)
        interval = (row.accuracy_low, row.accuracy_high)
    else:
        figure = result.figure(name, label)
        interval = (figure.low, figure.high)
    assert (measured.low, measured.high) == pytest.approx(interval)


@pytest.mark.parametrize("kind", ["order_matters", "scene_alone_suffices", "background_bias"])
def test_a_single_claim_is_judged_by_whether_the_whole_interval_keeps_the_bound(result, kind):
    measured = evidence_on(result, **{kind: {"at_most": 0.5}})
    step = 0.012  # draws of a bootstrap are as coarse
    for bound, at_most, at_least in (
        (measured.high + step, "supported", "contradicted"),
        (measured.high - step, "undecided", "undecided"),
        (measured.low + step, "undecided", "undecided"),
        (measured.low - step, "contradicted", "supported"),
    ):
        claims = {kind: {"at_most": bound}}, {kind: {"at_least": bound}}
        judged = [outcome.verdict for outcome in verdicts(result, *claims, correction="none")]
        assert judged == [at_most, at_least], bound


def test_claims_of_one_family_are_corrected_together(result):
    bound = evidence_on(result, background_bias={"at_most": 0.5}).high + 0.012
    claims = [{"background_bias": {"at_most": bound}}, {"scene_alone_suffices": {"at_most": 0.16}}]
    together = verdicts(result, *claims)
    apart = verdicts(result, claims[0], claims[1] | {"family": "other"})
    assert [outcome.verdict for outcome in together] == ["undecided", "undecided"]
    assert [outcome.verdict for outcome in apart] == ["supported", "undecided"]
    assert together[0].equivalence_p_adjusted == pytest.approx(2 * apart[0].equivalence_p_adjusted)
    assert [outcome.family_size for outcome in together] == [2, 2]
    assert math.isnan(together[0].p_value)
    assert "adjusted p = " in together[0].reason


def test_copies_of_clips_in_groups_show_no_more(result):
    alone = evidence_on(audited({}), person_alone_suffices={"at_least": 0.8})
    grouped = evidence_on(audited({}, groups=[str(n // 4) for n in range(40)]), person_alone_suffices={"at_least": 0.8})
    assert grouped.concept_groups == 10
    assert grouped.above > alone.above


def test_what_cannot_be_judged_is_undecided(result):
    without = audited({"swap": [None] * 40})
    (outcome,) = verdicts(without, {"background_bias": {"at_most": 0.5}})
    assert outcome.verdict == "undecided"
    assert "no version swap" in outcome.reason
    (outcome,) = verdicts(audited({}, groups=["all"] * 40), {"background_bias": {"at_most": 0.5}})
    assert outcome.verdict == "undecided"
    assert "clips of one group have no interval" in outcome.reason


def test_boxes_and_pasting_are_cautions():
    pasted = audited({"paste_control": ["swim"] * 30 + LABELS[30:]}, is_boxes=True)
    (outcome,) = verdicts(pasted, {"person_alone_suffices": {"at_least": 0.5}})
    assert outcome.doubted
    assert "caution: masks are boxes" in outcome.reason
    assert "over its own scene alone costs 75" in outcome.reason
    order = Hypothesis.model_validate({"order_matters": {"at_least": 0.1}})
    assert audit_cautions(order, pasted) == ()
    assert np.isfinite(outcome.effect)
