"""The table of speed, with tiny settings: what it compares, and that both sides did the same work."""

import json

import pytest
import torch
from benchmarks.speed.clips import interleaved
from benchmarks.speed.row import SpeedRow
from benchmarks.speed.speed import Speed, SpeedSettings, WholeRun, measure_speed

from video_tcav.recording.fast.precision import fast_bfloat16

SMALL = ("rendered:r2plus1d-motion", {}, ("stages.1", "stages.2"))
SWIN = ("torchvision:swin3d_t", {"frames": 4, "size": 32}, ("features.2", "features.4"))
TINY = SpeedSettings(
    models=(SMALL, SWIN),
    batch=2,
    rounds=1,
    effect_clips=(3, 4, 2),
    whole=(
        WholeRun(model=SMALL, clips=(6, 8, 4), rounds=1, captum_sets=0),
        WholeRun(model=SMALL, clips=(4, 4, 9), rounds=1, captum_sets=2),
    ),
)


@pytest.fixture(scope="module")
def speed() -> Speed:
    return measure_speed(TINY)


def test_every_part_is_there_and_the_first_row_is_its_own_measure(speed):
    table = speed.to_frame()
    assert list(table["part"].unique()) == ["passes", "end to end", "peers", "store"]
    plain = table[table["what"] == "eager float32"]
    assert list(plain["ratio"]) == [1.0, 1.0]
    assert list(plain["effect_difference"]) == [0.0, 0.0]
    assert (table["seconds"] > 0).all()
    assert set(table[table["part"] != "passes"]["clips"]) == {18, 17}


def test_choices_of_the_same_arithmetic_change_no_effect_and_bfloat16_little(speed):
    table = speed.to_frame().dropna(subset=["effect_difference"])
    half = table["what"].str.contains("bfloat16")
    assert (table[~half]["effect_difference"] < 1e-4).all()
    assert (table[half]["effect_difference"] < 0.1).all()  # of a handful of clips
    assert half.any() == fast_bfloat16(torch.device("cpu"))
    assert "fused attention" in set(table["what"])


def test_a_plain_loop_finds_the_effects_of_a_run(speed):
    loops = [one for one in speed.rows if one.against.startswith("a plain PyTorch loop")]
    assert len(loops) == 2
    assert all(one.effect_difference is not None and one.effect_difference < 1e-4 for one in loops)


def test_captum_stands_beside_the_run_where_it_is_asked_for(speed):
    (peer,) = [one for one in speed.rows if one.against.startswith("Captum's TCAV")]
    (own,) = [one for one in speed.rows if one.part == "end to end" and one.clips == peer.clips]
    assert peer.seconds == own.against_seconds  # one run, beside each of the others


def test_few_clips_are_not_judged(speed):
    assert all(one.limit is None for one in speed.rows)


def test_the_table_is_written_whole(speed, tmp_path):
    speed.to_json(tmp_path / "speed.json")
    found = json.loads((tmp_path / "speed.json").read_text())
    assert len(found["rows"]) == len(speed.rows)
    assert found["rows"][0]["ratio"] == 1.0
    assert found["provenance"]["settings"]["batch"] == 2


def test_a_ratio_says_how_many_times_as_long_the_other_takes():
    row = SpeedRow(part="store", model="m", what="a", against="b", clips=1, rounds=1, seconds=2.0, against_seconds=5.0)
    assert row.ratio == 2.5


def test_measurements_go_by_turns():
    order, steps = [], []
    found = interleaved({name: lambda name=name: order.append(name) for name in "ab"}, 3, steps.append)
    assert order == list("ababab")
    assert steps == [1] * 6
    assert set(found) == {"a", "b"}
