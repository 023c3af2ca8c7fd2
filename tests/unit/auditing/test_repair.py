"""Concepts erased from a model that needs them: what becomes better and what worse, and what is refused."""

import json

import pytest

import video_tcav as vt
from tests.unit.auditing.rendered_audit import ExactMasks, rendered_clips
from video_tcav.cli.app import main
from video_tcav.core import errors
from video_tcav.rendered import render, rule_of, sample_factors, write_world

CLASS, SCENES = "playing tennis", ("court", "lawn", "gym", "street", "noise")


def clips(count, seed, **factors):
    return [
        (f"{seed}-{number}", render(clip).clip)
        for number, clip in enumerate(sample_factors(count, seed=seed, **factors))
    ]


def of_all_scenes(count, seed, **factors):
    return [clip for at, scene in enumerate(SCENES) for clip in clips(count, seed + at, scene=scene, **factors)]


@pytest.fixture(scope="module")
def model():
    return vt.load_model("rendered:r2plus1d-scene", device="cpu")


@pytest.fixture(scope="module")
def cavs(model):
    return vt.learn_cavs(
        model,
        # the same number of each scene, or the direction of the racket would be one of scenes, too
        concepts={"court": clips(20, 1, scene="court"), "racket": of_all_scenes(4, 100, object="racket")},
        random=of_all_scenes(8, 200, object=["ball", "box", "none"]),
        layers=["stages.3"],
    )


@pytest.fixture(scope="module")
def own(model):
    factors, labels = rule_of("scene").sample(20, seed=7)
    by_class = {name: [] for name in model.classes}
    for number, (each, label) in enumerate(zip(factors, labels, strict=True)):
        by_class[model.classes[label]].append((f"own-{number}", render(each).clip))
    return by_class


def test_erasing_what_the_model_needs_is_refused_and_no_file_is_written(model, cavs, own, tmp_path):
    court = [cav for cav in cavs if cav.concept == "court"]
    repair = vt.erase(model, court, clips=own, concept_free=own, swap=False, out=tmp_path / "court.safetensors")
    assert not repair.is_accepted
    assert not (tmp_path / "court.safetensors").exists()
    before, after = (vt.predict(each, own["playing tennis"]) for each in (model, repair.repaired(model)))
    assert {row.labels[0].label for row in before} == {CLASS}
    assert CLASS not in {row.labels[0].label for row in after}
    figure = repair.figure("own clips")
    assert figure.before == 1.0
    # of five classes, the one whose scene went is no longer said
    assert figure.after == pytest.approx(0.8)
    assert figure.change == pytest.approx(figure.after - figure.before)
    assert figure.change_low < figure.change < figure.change_high
    assert any(
        "Refused: accuracy on clips without the concepts falls by 20.0 points" in text for text in repair.sentences()
    )


def test_erasing_what_it_does_not_need_changes_nothing_and_is_accepted(model, cavs, own, tmp_path):
    racket = [cav for cav in cavs if cav.concept == "racket"]
    path = tmp_path / "racket.safetensors"
    repair = vt.erase(model, racket, clips=own, concept_free=own, swap=False, out=path)
    assert repair.is_accepted
    assert repair.figure("own clips").change == 0
    assert abs(repair.figure("own clips", "log_odds").change) < 0.5
    assert vt.load_model("rendered:r2plus1d-scene", device="cpu", erased=path).weights_digest != model.weights_digest


def test_swapped_clips_follow_the_scene_less_where_the_scenes_were_erased(model, tmp_path):
    factors, labels = rule_of("scene").sample(20, seed=9)
    names = [model.classes[label] for label in labels]
    manifest = write_world(tmp_path / "world", factors, names, masks=True)
    cavs = vt.learn_cavs(
        model,
        concepts={name: clips(10, 20 + number, scene=name) for number, name in enumerate(SCENES)},
        random=clips(40, 40),
        layers=["stages.3"],
    )
    repair = vt.erase(model, cavs, clips=manifest, concept_free=manifest, masks=str(tmp_path / "world" / "masks.json"))
    swapped = repair.figure("swapped clips", "sb_err")
    assert swapped.before > 0.9
    assert swapped.after < 0.5
    expected = repair.to_frame().set_index(["clips", "measure"])
    assert expected.loc[("swapped clips", "sb_err"), "change"] == pytest.approx(swapped.after - swapped.before)
    assert json.loads(json.dumps(repair.to_dict()))["accepted"] is False


def test_both_models_are_audited_on_clips_that_are_decoded_and_masked_once(model, cavs, tmp_path):
    clips_by_class, rendered = rendered_clips("scene", 10, seed=4)
    masks = ExactMasks(rendered)
    court = [cav for cav in cavs if cav.concept == "court"]
    options = {"clips": clips_by_class, "concept_free": clips_by_class, "masks": masks, "bootstraps": 200}
    repair = vt.erase(model, court, **options, threads=1, store=tmp_path / "store")
    assert len(masks.calls) <= len(rendered) + 2
    swapped = repair.figure("swapped clips", "log_odds")
    for each, value in ((model, swapped.before), (repair.repaired(model), swapped.after)):
        apart = vt.audit(each, clips_by_class, versions=["swap"], masks=masks, shares=False, bootstraps=200)
        assert apart.version("swap").log_odds == pytest.approx(value, abs=1e-9)
    calls = len(masks.calls)
    assert vt.erase(model, court, **options, store=tmp_path / "store").figure("own clips") == repair.figure("own clips")
    assert len(masks.calls) > calls  # masks of another package are never kept


def test_the_command_writes_what_it_accepts_and_names_what_it_does_not_find(monkeypatch, capsys, model, tmp_path):
    factors, labels = rule_of("scene").sample(20, seed=7)
    world = write_world(tmp_path / "world", factors, [model.classes[label] for label in labels])
    out = tmp_path / "test"
    vt.run_tcav(
        model,
        target=CLASS,
        clips=clips(4, 50, scene="court"),
        concepts={"racket": clips(8, 2, object="racket")},
        random=clips(20, 3, object=["ball", "box", "none"]),
        layers=["stages.3"],
        permutations=99,
        out=out,
    )
    common = ["erase", world, "--model", "rendered:r2plus1d-scene", "--cavs", out, "--concept-free", world, "--no-swap"]

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["video-tcav", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr()

    code, printed = run(*common, "--out", tmp_path / "e.safetensors", "--json", tmp_path / "e.json")
    assert code == 0
    assert (tmp_path / "e.safetensors").exists()
    assert json.loads((tmp_path / "e.json").read_text())["concepts"] == ["racket"]
    assert "own clips" in printed.out
    code, printed = run(*common, "--concept", "rackett")
    assert code == 2
    assert "`concept` must be one that the CAVs are of. Got 'rackett'. Choose one of: racket." in printed.err


def test_margins_outside_their_range_are_refused(model, cavs, own):
    with pytest.raises(errors.InputError, match="`margin` must be in"):
        vt.erase(model, cavs[:1], clips=own, concept_free=own, margin=-1)
