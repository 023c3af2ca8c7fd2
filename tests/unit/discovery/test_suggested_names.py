"""Names for components: words nearest to their tubes, as the encoder sees them; in results, files, sentences and the bank."""

import json

import numpy as np
import pytest
import torch

import video_tcav as vt
from tests.unit.words.colours import COLOURS, ColourEncoder
from video_tcav.concepts import ConceptBank
from video_tcav.discovery.suggested_names import _shares
from video_tcav.rendered import render, sample_factors

WORDS = ["red", "green", "blue"]


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Class clips show the court, with a little green laid over the picture; random clips have red."""
    folder = tmp_path_factory.mktemp("named")
    for name, count, seed, factors, colour in (
        ("court", 16, 1, {"scene": "court"}, "green"),
        ("any", 24, 2, {}, "red"),
    ):
        (folder / name).mkdir()
        tint = torch.tensor(COLOURS[colour])[None, :, None, None] * 255
        for number, factor in enumerate(sample_factors(count, seed=seed, **factors)):
            clip = 0.9 * render(factor).clip + 0.1 * tint
            vt.write_video(folder / name / f"{number}.mp4", clip.round().to(torch.uint8), fps=12)
    return folder


@pytest.fixture(scope="module")
def result(videos):
    return vt.discover(
        vt.load_model("rendered:r2plus1d-scene"),
        target="playing tennis",
        clips=videos / "court",
        random=videos / "any",
        layers=["stages.3"],
        components=3,
        permutations=199,
        bootstraps=50,
        alpha=0.5,
        twins=(),
        operations="none",
        text_encoder=ColourEncoder(),
        words=WORDS,
        bank=videos / "bank",
        out=videos / "out",
    )


def test_a_component_of_the_class_is_named_by_what_its_tubes_show(result):
    of_class = [component for component in result.confirmed if component.is_more_in_class]
    assert of_class and set(result.names) == {component.name for component in result.confirmed}
    for component in of_class:
        names = result.names[component.name]
        assert [name.rank for name in names] == [1, 2, 3]
        assert names[0].word == "green" and names[0].margin > 0.02
        assert names[0].margin == pytest.approx(names[0].score - names[1].score)
        assert names.words == 3 and names.encoder == "colours" and 0 < names.clips <= 12
        assert f"Words nearest to {component.name}, of 3: green (margin " in result.summary()


def test_names_are_in_the_files_and_read_back(result, videos):
    again = vt.load_discovery(videos / "out")
    assert again.sentences() == result.sentences()
    for name, suggestions in result.names.items():
        assert again.names[name].to_frame().equals(suggestions.to_frame())
    written = json.loads((videos / "out" / "results.json").read_text())
    first = result.confirmed[0].name
    assert written["suggested_names"][first]["suggestions"][0]["rank"] == 1
    renamed = result.renamed({first: "court"})
    assert renamed.names["court"] == result.names[first]


def test_the_bank_has_the_suggestion_beside_each_tube(result, videos):
    with ConceptBank.open(videos / "bank") as bank:
        component = max(result.confirmed, key=lambda each: each.n_tubes)
        clips = bank.clips(concept=component.name, kind="moving")
        word = result.names[component.name][0].word
        assert clips
        assert all(clip.origin.proposer["suggested_name"].startswith(f"{word} (margin ") for clip in clips)


def test_a_crop_holds_all_boxes_and_a_margin_within_the_picture():
    boxes = np.array([[10.0, 20, 30, 40], [20, 20, 50, 60]])
    left, top, right, bottom = _shares(boxes, 100, 200)
    # 40 wide and 40 high together; an eighth of it on each side
    assert (left, top, right, bottom) == pytest.approx((5 / 200, 15 / 100, 55 / 200, 65 / 100))
    assert _shares(np.array([[0.0, 0, 200, 100]]), 100, 200) == (0, 0, 1, 1)
