"""Completeness of a run: planted causes, the answers of clips that were not asked for any, and what is written and shown."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import video_tcav as vt
from video_tcav.concepts.bank import ConceptBank, import_clips
from video_tcav.media import find_videos
from video_tcav.media.loader import load_clips
from video_tcav.models.targets import parse_target
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.workspace import Workspace
from video_tcav.rendered import render_batch, sample_factors
from video_tcav.tcav.completeness import MANIFEST, UNEXPLAINED, NotMeasured, RunCompleteness
from video_tcav.tcav.completeness.explained_clips import explained_clips
from video_tcav.tcav.plan import Question, make_plan
from video_tcav.tcav.record_plan import record

DRAWS = {"permutations": 99, "random_sets": 2, "bootstraps": 20, "relabellings": 2}


def rendered(count: int, seed: int, **factors: str) -> torch.Tensor:
    return render_batch(sample_factors(count, seed=seed, **factors))


@pytest.fixture(scope="module")
def scene() -> RunCompleteness:
    """Of the network that looks at the scene alone."""
    result = vt.run_tcav(
        vt.load_model("rendered:r2plus1d-scene", device="cpu"),
        target="playing tennis",
        clips=rendered(6, 1, motion="swing", object="racket", scene="court"),
        concepts={"court": rendered(16, 2, scene="court"), "racket": rendered(16, 3, object="racket")},
        random=rendered(48, 5),
        layers=["stages.3"],
        detail=True,
        **DRAWS,
    )
    assert result.detail is not None
    assert result.sentences()[-1] == result.detail.completeness.sentence()
    return result.detail.completeness


def test_the_planted_cause_explains_the_most_and_the_other_concept_next_to_nothing(scene):
    court, racket = scene.shares
    assert (court.concept, racket.concept) == ("court", "racket")
    assert scene.explained > 0.9
    assert court.share > 0.8 * scene.explained
    assert abs(racket.share) < 0.2
    assert scene.relabelled_high < scene.explained_low
    assert scene.all_directions > 0.9
    assert court.share + racket.share == pytest.approx(scene.explained)


def test_the_sentence_says_floor_and_ceiling(scene):
    sentence = scene.sentence()
    assert sentence.startswith(
        f"These 2 concepts explain {100 * scene.explained:.0f} % of the log-odds of playing tennis over "
    )
    assert f"relabelled concepts {100 * scene.relabelled:.0f} %" in sentence
    assert f"all directions of the layer {100 * scene.all_directions:.0f} %" in sentence
    assert "One set of relabelled" not in sentence
    poor = replace(scene, explained=-0.001, relabelled_high=0.1, shares=scene.shares[:1])
    assert poor.sentence().startswith("court alone explains 0 %")
    assert poor.sentence().endswith("One set of relabelled concepts in twenty explains as much (10 %).")


def test_residuals_are_what_the_model_says_less_what_presences_predict(scene):
    sizes = [abs(clip.residual) for clip in scene.clips]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 12
    for clip in scene.clips:
        assert clip.residual == pytest.approx(clip.said - clip.predicted)
        assert clip.path == ""  # in memory


@pytest.fixture(scope="module")
def model(shapes):
    """Any network will do: it answers, whatever it knows."""
    return vt.load_model(f"file:{shapes.__file__}:build", classes=shapes.DIRECTIONS, device="cpu")


@pytest.fixture(scope="module")
def plan(model, shapes_clips):
    question = Question(
        target="right",
        clips=shapes_clips / "right",
        concepts={"moves-right": shapes_clips / "moves-right", "green": shapes_clips / "green"},
        random=shapes_clips / "random",
        layers=["stages.1", "stages.2"],
    )
    return make_plan(model, question, RecordingSettings())


def recorded_at(model, plan, *, space: str = "flatten", whole: tuple[str, ...] = ()):
    """A recording, with whole outputs of class clips at some layers, and the clips explained at its deepest layer."""
    with Workspace(RecordingSettings(space=space)) as work:
        recording = record(plan, work.recorder(model, plan.layers, plan.digests, whole=whole), work)
        gram = recording.gram("stages.2")
        return recording, gram, explained_clips(plan, recording, gram, "stages.2")


def said(model, folder) -> dict[str, float]:
    """What the whole network says of each clip of a folder."""
    target, found = parse_target(model, "right", "log_odds"), {}
    for loaded in load_clips(find_videos(folder), model.clip_spec, windows=1, threads=1):
        with torch.no_grad():
            found[loaded.source.key] = float(target(model.logits(model.prepare(loaded.clips[0])[None])))
    return found


def test_answers_of_recorded_clips_are_those_of_the_whole_network(model, plan, shapes_clips):
    _, _, explained = recorded_at(model, plan)
    slow = {
        key: value
        for name in ("moves-right", "green", "random")
        for key, value in said(model, shapes_clips / name).items()
    }
    assert [clip.source for clip in explained.clips] and len(explained.clips) == 40
    assert explained.values == pytest.approx([slow[clip.source] for clip in explained.clips], abs=1e-4)


@pytest.mark.parametrize("space", ["flatten", "spacetime"])
def test_class_clips_take_part_where_their_outputs_were_kept(model, plan, shapes_clips, space):
    recording, gram, explained = recorded_at(model, plan, space=space, whole=("stages.2",))
    assert len(explained.clips) == 46
    slow = said(model, shapes_clips / "right")
    assert explained.values[40:] == pytest.approx([slow[clip.source] for clip in explained.clips[40:]], abs=1e-4)
    assert np.isnan(explained.values[:40]).all() == (space == "spacetime")
    # inner products with class clips, written out from activations of the same layer
    (rows,) = recording.whole_rows("stages.2").column_blocks(range(40), recording.whole_rows("stages.2").width)
    outputs = recording.class_outputs.of("stages.2", list(recording.class_rows))
    if space == "spacetime":
        outputs = outputs.reshape(6, *recording.layer_shapes()["stages.2"][1:]).flatten(2).mean(2)
    together = torch.cat([rows, outputs]).double() - rows.double().mean(0)
    assert explained.kernel == pytest.approx((together @ together.T).numpy(), abs=1e-6 * float(gram.kernel.max()))
    assert explained.kernel[:40, :40] == pytest.approx(gram.kernel)


def test_groups_have_the_numbers_of_the_designs(model, plan):
    _, _, explained = recorded_at(model, plan)
    numbers = {source.key: number for number, source in enumerate(plan.compared())}
    assert [numbers[clip.source] for clip in explained.clips] == explained.groups.tolist()


def run(model, folder, **changes):
    return vt.run_tcav(
        model,
        target="right",
        clips=folder / "right",
        concepts={"moves-right": folder / "moves-right", "green": folder / "green"},
        random=folder / "random",
        **{"layers": ["stages.2"], "detail": True, **DRAWS, **changes},
    )


def test_files_hold_it_and_the_manifest_goes_to_the_bank(model, shapes_clips, tmp_path):
    found = run(model, shapes_clips, out=tmp_path / "out", twins=["frozen"])
    completeness = found.detail.completeness
    assert isinstance(completeness, RunCompleteness)
    assert completeness.n_clips >= 40
    stored = json.loads((tmp_path / "out/results.json").read_text())["completeness"]
    assert stored == json.loads(json.dumps(completeness.to_dict()))
    assert completeness.sentence() in found.summary() and completeness.sentence() in found._repr_html_()
    imported = import_clips(tmp_path / "bank", tmp_path / "out" / MANIFEST, verdict="open")
    assert imported.added == 12
    with ConceptBank.open(tmp_path / "bank") as bank:
        (concept,) = bank.concepts()
    assert (concept.name, concept.open, concept.accepted) == (UNEXPLAINED, 12, 0)
    run(model, shapes_clips, out=tmp_path / "out", detail=False)
    assert not (tmp_path / "out" / MANIFEST).exists()
    assert "completeness" not in json.loads((tmp_path / "out/results.json").read_text())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"space": "spacetime"}, "in space spacetime must be at least 20 with known answers, in 5 groups. Got "),
        ({"sketch": 64}, "`sketch` must be off"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_line(model, shapes_clips, tmp_path, changes, reason):
    found = run(model, shapes_clips, out=tmp_path, **changes)
    completeness = found.detail.completeness
    assert isinstance(completeness, NotMeasured)
    assert reason in completeness.sentence()
    assert json.loads((tmp_path / "results.json").read_text())["completeness"] == {"sentence": completeness.sentence()}
    assert not (tmp_path / MANIFEST).exists()


def test_the_same_seed_gives_the_same_completeness(model, shapes_clips):
    first, second = (run(model, shapes_clips, threads=threads).detail.completeness for threads in (1, 4))
    assert first == second
