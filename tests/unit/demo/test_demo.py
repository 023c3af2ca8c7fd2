from dataclasses import replace

import pytest

from tests.docs.blocks import ROOT, blocks
from video_tcav.cli import render
from video_tcav.cli.demo import print_result
from video_tcav.demo import run_demo
from video_tcav.demo.demo import MARGIN, demo_clips, verdict
from video_tcav.tcav import TcavResult


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return run_demo(tmp_path_factory.mktemp("demo"))


def test_the_verdicts_are_the_planted_ones(found):
    swing, court = (model.verdict for model in found.models)
    assert (swing.concept, swing.moves) == ("swing", True)
    assert (court.concept, court.moves, court.motion_effect) == ("court", False, 0.0)
    assert swing.sentence.startswith("Model A relies on the motion of the swing (+")
    assert court.sentence.endswith("and on nothing that moves.")


def test_both_models_call_the_clips_tennis_and_part_where_the_cause_is_taken_away(found):
    reads_swing, reads_court = found.models
    assert reads_swing.called >= 18 and reads_court.called >= 18
    assert reads_swing.off_court > 0.9 > 0.1 > reads_swing.no_swing
    assert reads_court.no_swing > 0.9 > 0.1 > reads_court.off_court


def test_a_meaningless_concept_is_significant_to_the_ttest_alone(found):
    assert found.meaningless.ttest > 0.4
    assert found.meaningless.permutation < 0.1
    assert found.meaningless.studentised < 0.1


def test_the_readme_shows_what_the_demo_prints(found):
    with render.out.capture() as captured:
        print_result(found)
    [block] = [block.body for block in blocks(ROOT / "README.md") if "The page with clips and plots" in block.body]
    printed = f"{captured.get()}\nThe page with clips and plots: demo-out/index.html"
    assert block.split() == printed.split()


def test_everything_is_on_disk(found):
    for name in ("class", "swing", "wave", "random"):
        assert list((found.folder / "clips" / name).glob("*.mp4"))
    assert len(list((found.folder / "clips" / "court").glob("*.png"))) == 24
    assert (found.folder / "model-A" / "results.csv").is_file()


def test_concepts_differ_from_random_clips_in_one_factor_alone():
    sets = demo_clips(0)
    for name, factor in (("swing", "motion"), ("court", "scene"), ("racket", "object")):
        assert {getattr(clip, factor) for clip in sets[name]} == {name}
        assert name not in {getattr(clip, factor) for clip in sets["random"]}
        for other in {"motion", "object", "scene"} - {factor}:
            assert {getattr(clip, other) for clip in sets[name]} <= {getattr(clip, other) for clip in sets["random"]}
    assert sets["random"] != demo_clips(1)["random"]


def test_a_verdict_needs_size_and_significance(found):
    result = found.models[0].result
    layer = result.results[-1].layer
    small = [replace(one, effect=MARGIN / 2) for one in result.results]
    unsure = [replace(one, p_adjusted=0.2) for one in result.results]
    for changed in (small, unsure):
        nothing = verdict(TcavResult.of_rows(changed), layer, "Model X")
        assert nothing.concept is None
        assert nothing.sentence == "Model X was not found to rely on any of these concepts."


def test_the_model_that_reads_the_swing_looks_at_moments_and_the_other_all_the_time(found):
    shares = []
    for model in found.models:
        assert model.explanation.source.path.name == "000.mp4" and model.explanation.values is not None
        heat = model.explanation.values.clamp(min=0).sum((1, 2))
        shares.append(float(heat.max() / heat.mean()))
    swing, court = shares
    assert swing > 1.5 * court
