"""How much work interventions are, and which clips steps are taken at."""

from dataclasses import replace

import torch

from video_tcav.concepts import Concept, as_sources
from video_tcav.tcav.interventions.plan import MOST_STEP_CLIPS, InterventionPlan, with_step_clips
from video_tcav.tcav.plan import Plan


def test_all_cavs_are_counted():
    step = InterventionPlan(operations=("step",), layers=("a", "b"))
    assert step.cavs(199, [3, 1]) == 2 * 4
    clamp = InterventionPlan(operations=("step", "clamp"), layers=("a",))
    assert clamp.cavs(199, [3, 1]) == 4 * 200
    restore = InterventionPlan(operations=("clamp", "restore"), layers=("a",), twins=("frozen",))
    assert restore.cavs(199, [3, 1]) == 4 * 200 + 2 * 200
    assert InterventionPlan(operations=(), layers=()).cavs(199, [3, 1]) == 0


def test_steps_are_taken_at_whole_groups_of_random_clips_without_those_of_concepts(tmp_path):
    names = [f"{group}/{number}" for group in "abcdefghijklmnop" for number in range(4)]
    sources = as_sources([(name, torch.zeros(2, 3, 4, 4, dtype=torch.uint8)) for name in names])
    plan = Plan(
        concepts=(Concept(name="some", sources=sources[:4]),),
        random=sources,
        class_sources=sources[:1],
        relative=(),
        twins=(),
        digests={},
        group_of=lambda source: source.key.split("/")[0],
    )
    asked = InterventionPlan(operations=("step", "clamp"), layers=("a",))
    chosen = with_step_clips(asked, plan, "class", "random").step_sources
    groups = {plan.group_of(source) for source in chosen}
    assert len(chosen) == MOST_STEP_CLIPS == 4 * len(groups)
    assert plan.group_of(sources[0]) not in groups
    assert chosen != with_step_clips(asked, replace(plan, seed=1), "class", "random").step_sources
    for unchanged in (("class", "class"), ("random", "random")):
        assert with_step_clips(asked, plan, *unchanged) == asked
    clamp = replace(asked, operations=("clamp",))
    assert with_step_clips(clamp, plan, "class", "random") == clamp
