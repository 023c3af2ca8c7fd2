"""How much work interventions are."""

from video_tcav.tcav.interventions.plan import InterventionPlan


def test_all_cavs_are_counted():
    step = InterventionPlan(operations=("step",), layers=("a", "b"))
    assert step.cavs(199, [3, 1]) == 2 * 4
    clamp = InterventionPlan(operations=("step", "clamp"), layers=("a",))
    assert clamp.cavs(199, [3, 1]) == 4 * 200
    restore = InterventionPlan(operations=("clamp", "restore"), layers=("a",), twins=("frozen",))
    assert restore.cavs(199, [3, 1]) == 4 * 200 + 2 * 200
    assert InterventionPlan(operations=(), layers=()).cavs(199, [3, 1]) == 0
