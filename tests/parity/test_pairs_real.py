"""Pairs on a network that others trained: real clips with and without the person, and which estimates are right about it."""

import pytest

import video_tcav as vt
from video_tcav.media import load_clips

pytestmark = pytest.mark.assets


def test_the_slope_of_each_clip_is_wrong_about_the_person_and_a_clamp_is_right(assets):
    """Without the person nobody walks; only a clamp says so, and by how much."""
    models, folder = assets / "models" / "real", assets / "clips" / "kth30"
    model = vt.load_model(
        f"file:{models / 'lrcn.py'}:walk_fight_run", weights=models / "lrcn_walk_fight_run_b.safetensors", device="cpu"
    )
    with_person, empty = [], []
    for loaded in load_clips(vt.find_videos(folder / "walking"), model.clip_spec, threads=1):
        assert loaded.clips is not None
        (clip,) = loaded.clips
        background = clip.float().median(0).values.to(clip.dtype)  # of a static camera: who walks is nowhere for long
        with_person.append((loaded.source.path.name, clip))
        empty.append((loaded.source.path.name, background.expand(clip.shape)))
    measured = vt.pairs(
        model,
        target="walking",
        with_concept=with_person,
        without=empty,
        layers=["stages.3"],
        group=r"person\d+",
    )
    assert measured.truth_low > 5
    assert measured.changed > 0.9 * len(measured.pairs)
    paired, clamp = (measured.get("stages.3", estimator=name, at="without") for name in ("paired", "clamp"))
    assert paired is not None and clamp is not None
    assert paired.right_sign is False and paired.effect_high < 0
    assert clamp.right_sign and clamp.size is not None
    assert 0.8 < clamp.size < 1.3
    assert f"paired at clips without {paired.effect:+.2f} [" in measured.summary()
    assert "of the truth, wrong sign)" in measured.summary()
