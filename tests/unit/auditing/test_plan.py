"""Plans of audits: classes of labels, order of the passes, and whose scene each clip may get."""

import dataclasses

import pytest

import video_tcav as vt
from tests.unit.auditing.rendered_audit import ExactMasks, rendered_clips
from video_tcav.auditing.plan import AuditQuestion, plan_audit
from video_tcav.auditing.settings import AuditSettings
from video_tcav.core.errors import ClassNotFoundError
from video_tcav.media import source_digest


@pytest.fixture(scope="module")
def plan():
    clips, rendered = rendered_clips("scene", 30)
    return plan_audit(model(), AuditQuestion(clips=clips), AuditSettings(masks=ExactMasks(rendered)), source_digest)


def model():
    return vt.load_model("rendered:r2plus1d-scene")


def test_lenders_are_of_other_classes_and_other_clips(plan):
    for source in plan.sources:
        lenders = plan.lenders[source.key]
        assert 1 <= len(lenders) <= 4
        assert len({lender.key for lender in lenders}) == len(lenders)
        assert all(plan.classes[lender.key] != plan.classes[source.key] for lender in lenders)


def test_each_source_is_passed_once_and_mostly_before_its_lender(plan):
    assert sorted(source.key for source in plan.order) == sorted(source.key for source in plan.sources)
    pairs = zip(plan.order, plan.order[1:], strict=False)
    beside = sum(plan.lenders[first.key][0].key == second.key for first, second in pairs)
    assert beside >= 0.6 * len(plan.order)


def test_labels_may_be_spelled_otherwise_or_be_numbers(tmp_path):
    clips, _ = rendered_clips("scene", 5)
    spelled = {name.replace(" ", "_").upper(): members for name, members in clips.items()}
    numbered = {str(model().classes.index(name)): members for name, members in clips.items()}
    question = {"versions": ["reversed"]}
    settings = AuditSettings(shares=False)
    plans = [
        plan_audit(model(), AuditQuestion(clips=labelled, **question), settings, source_digest).classes
        for labelled in (clips, spelled, numbered)
    ]
    assert plans[0] == plans[1] == plans[2]


def test_numbers_that_are_no_names_are_refused_where_classes_are_called_by_numbers():
    """Classes `1`, `2`, …: a label `0` is no first class, since `1` is."""
    clips, _ = rendered_clips("scene", 10)
    count = len(model().classes)
    by_name = dataclasses.replace(model(), classes=tuple(map(str, range(1, count + 1))))
    numbered = {str(number): members for number, members in enumerate(clips.values())}
    question = AuditQuestion(clips=numbered, versions=["reversed"])
    with pytest.raises(ClassNotFoundError, match="must be labelled with classes of .* Got '0' for"):
        plan_audit(by_name, question, AuditSettings(shares=False), source_digest)


def test_the_clip_as_it_is_is_always_the_first_version():
    clips, _ = rendered_clips("scene", 5)
    question = AuditQuestion(clips=clips, versions=["mirrored", "reversed", "mirrored"])
    plan = plan_audit(model(), question, AuditSettings(shares=False), source_digest)
    assert [version.name for version in plan.versions] == ["original", "mirrored", "reversed"]
    assert plan.masks is None
    assert plan.order == plan.sources
