"""Effect checks of a network that others trained, on real clips: where its effects are right, and where they are not."""

import pytest

import video_tcav as vt

pytestmark = pytest.mark.assets


@pytest.mark.parametrize(
    ("target", "others", "is_right"), [("walking", "running", True), ("running", "walking", False)]
)
def test_slopes_are_believed_for_walking_alone(assets, target, others, is_right):
    """Edits of walking are predicted by slopes at the deepest stage; edits of running are not, and better by steps."""
    models, clips = assets / "models" / "real", assets / "clips" / "kth30"
    model = vt.load_model(
        f"file:{models / 'lrcn.py'}:walk_fight_run", weights=models / "lrcn_walk_fight_run_b.safetensors", device="cpu"
    )
    check = vt.check_effects(
        model,
        target=target,
        clips=clips / target,
        random=clips / others,
        layers=["stages.3"],
        only_right=True,
        group=r"person\d+",
    )
    slope, step = (check.get("stages.3", space="flatten", at="class", estimator=name) for name in ("slope", "step"))
    assert slope.is_above_chance == is_right
    assert (check.warning("stages.3", space="flatten", at="class") is None) == is_right
    assert step.right / step.counted >= 0.8
    assert is_right or step.rank > slope.rank
