"""Effect checks with edits by masks in experiments: masks of the file, or those of its audit."""

from pathlib import Path

import pytest

from video_tcav.core.errors import ExperimentError
from video_tcav.experiments import check_experiment, load_run, read_experiment, run_experiment
from video_tcav.rendered import sample_factors, write_world
from video_tcav.reports import write_report
from video_tcav.tcav.effect_check.mask_edits import MASK_EDITS

TEXT = """\
title: What does it see?
model: rendered:r2plus1d-scene
targets: {playing tennis: world/court}
concepts: {street: world/street}
random: [world/lawn, world/gym]
layers: [stages.3]
statistics: {permutations: 99, bootstraps: 200, random_sets: 20}
shown: 0
masks: world/masks.json
hypotheses:
  - matters: {concept: street, target: playing tennis}
    expect: either
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder, clips, labels = tmp_path_factory.mktemp("experiments"), [], []
    for seed, (scene, count) in enumerate({"court": 4, "street": 4, "lawn": 4, "gym": 4}.items()):
        clips += sample_factors(count, seed=seed, scene=scene)
        labels += [scene] * count
    write_world(folder / "world", clips, labels, masks=True)
    return folder


def write(folder: Path, text: str) -> Path:
    path = folder / "masked.yaml"
    path.write_text(text)
    return path


def test_a_run_makes_edits_by_its_masks_and_says_so(folder, tmp_path):
    run = run_experiment(write(folder, TEXT), out=tmp_path / "run")
    check = run.analyses[0].effect_check
    assert check is not None
    assert {edit.edit: edit.n_clips for edit in check.edits if edit.edit in MASK_EDITS} == dict.fromkeys(MASK_EDITS, 4)
    assert check.edits[-1].edit == "other_scene" and check.edits[-1].truth < -3
    sentence = f"Edits by masks of {folder / 'world/masks.json'}: person_only, scene_only, other_scene."
    assert sentence in check.sentences()
    page = write_report(load_run(tmp_path / "run"), tmp_path / "report.html").read_text()
    assert sentence in page
    assert "12 plain edits and 3 by masks" in page


@pytest.mark.parametrize(
    ("audit", "masks"),
    [
        ("{clips: world/manifest.csv, masks: world/masks.json}", "world/masks.json"),
        ("{clips: world/manifest.csv}", "motion"),
        ("{clips: world/manifest.csv, shares: false, versions: [frozen]}", None),
    ],
)
def test_masks_of_an_audit_are_those_of_the_check(folder, audit, masks):
    text = TEXT.replace("masks: world/masks.json\n", "")
    assert read_experiment(write(folder, text))[0].check_masks(folder) is None
    experiment, _ = read_experiment(write(folder, f"{text}audit: {audit}\n"))
    assert experiment.check_masks(folder) == (str(folder / masks) if masks and "/" in masks else masks)
    experiment, _ = read_experiment(write(folder, f"{text}audit: {audit}\nmasks: boxes:motion\n"))
    assert experiment.check_masks(folder) == "boxes:motion"


def test_mistakes_have_their_line(folder):
    with pytest.raises(ExperimentError, match=r"masked\.yaml:9: `masks` must be motion, .* Got '.*nothing.json'"):
        check_experiment(write(folder, TEXT.replace("world/masks.json", "nothing.json")))
    with pytest.raises(
        ExperimentError, match=r"masked\.yaml:9: `masks` must be of an effect check.* Got check_effects: false"
    ):
        read_experiment(write(folder, f"{TEXT}check_effects: false\n"))
