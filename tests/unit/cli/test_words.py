"""The commands `words` and `propose --text`, in this process: what they print, what they write, and bad input."""

import json
from pathlib import Path

import pytest

from tests.unit.words.colours import write_colours
from video_tcav.concepts import ConceptBank
from video_tcav.media import write_video
from video_tcav.rendered import render, sample_factors

FILE = Path(__file__).parents[1] / "words" / "colours.py"
ENCODER = f"file:{FILE}:build"


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("VIDEO_TCAV_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    root = tmp_path_factory.mktemp("clips")
    for folder, count, seed, chosen in (
        ("random", 14, 1, {}),
        ("class", 3, 2, {"scene": "court"}),
        ("lawn", 5, 3, {"scene": "lawn"}),
    ):
        for number, clip in enumerate(sample_factors(count, seed=seed, **chosen)):
            write_video(root / folder / f"{folder}-{number}.mp4", render(clip).clip, fps=12.5)
    return root


def arguments(clips, *more):
    shared = ["words", "--model", "rendered:r2plus1d-scene", "--target", "playing tennis", "--encoder", ENCODER]
    return [
        *shared,
        "--random",
        clips / "random",
        "--clips",
        clips / "class",
        "--text",
        "green",
        "--text",
        "tea pot",
        *more,
    ]


def test_words_prints_its_own_table_and_says_what_was_checked(call, clips, tmp_path):
    options = [
        "--layer",
        "stages.3",
        "--concept",
        f"green={clips / 'lawn'}",
        "--json",
        tmp_path / "r.json",
        "--out",
        tmp_path / "o",
    ]
    code, out, err = call(*arguments(clips, *options, "--device", "cpu"))
    assert code == 0, err
    text = " ".join(out.split())
    assert "Concepts in words and playing tennis" in text and "colours" in text and "14 unlabelled clips" in text
    assert "“green” in words" in text and "“tea pot” in words" in text
    assert "not checked" in text and "cosine" in text
    content = json.loads((tmp_path / "r.json").read_text())
    assert [row["text"] for row in content["text_results"]] == ["green", "tea pot"]
    assert content["text_results"][0]["cosine"] is not None and content["text_results"][1]["cosine"] is None
    assert (tmp_path / "o" / "text_results.csv").exists() and "Tables are in" in text


def test_propose_finds_windows_by_words(call, tmp_path):
    write_colours(tmp_path / "v" / "a.mp4", "blue", "red")
    options = ["propose", tmp_path / "v", "--bank", tmp_path / "bank", "--encoder", ENCODER]
    code, out, err = call(*options, "--text", "red,green", "--top", "1")
    assert code == 0, err
    text = " ".join(out.split())
    assert "“red”: 1 window (p = 0.00" in text and "Nothing in these videos stands out for “green”" in text
    assert "windows of 1 videos were compared with 1000 other words" in text and "1 new clips" in text
    with ConceptBank.open(tmp_path / "bank") as bank:
        assert [(concept.name, concept.open) for concept in bank.concepts()] == [("red", 1)]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--text", "red"], "`--text` must go with --encoder. Got it alone."),
        (["--encoder", ENCODER], "`--encoder or --words` must go with --text. Got it alone."),
        (
            ["--text", "red", "--encoder", ENCODER, "--detector", "motion"],
            "`--detector` must not be given with --text.",
        ),
        (["--text", "red", "--encoder", ENCODER, "--negatives"], "`--negatives` must not be given with --text."),
        (
            ["--text", "red", "--encoder", ENCODER, "--weights", "w"],
            "`--weights` must go with --embed. Got it with --text.",
        ),
        (["--text", "red", "--encoder", "clip"], "`encoder` must be hf:ID or FOLDER, open_clip:"),
        (["--text", "red", "--encoder", ENCODER, "--words", "nowhere.txt"], "`words` must be a text file"),
        (["--text", "red", "--encoder", ENCODER, "--max", "9"], "`--max` must not be given with --text."),
        (["--text", "red", "--encoder", ENCODER, "--every-s", "1"], "`--every-s` must not be given with --text."),
        (["--detector", "motion", "--top", "20"], "`--top` must go with --text. Got it alone."),
        ([], "`--detector` must be given, or --text with --encoder."),
    ],
)
def test_bad_input_of_propose_ends_with_one_line(call, tmp_path, more, message):
    write_colours(tmp_path / "v" / "a.mp4", "red")
    code, _, err = call("propose", tmp_path / "v", "--bank", tmp_path / "bank", *more)
    assert code == 2 and message in " ".join(err.split()) and "Traceback" not in err
    assert not (tmp_path / "bank").exists()


def test_a_concept_that_is_no_text_is_refused(call, clips):
    code, _, err = call(*arguments(clips, "--concept", f"gren={clips / 'lawn'}"))
    assert code == 2 and "`concepts` must be named as the texts that they check. Got 'gren'" in " ".join(err.split())
