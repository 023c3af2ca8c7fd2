"""`discover`, as a user meets it: sentences, a table of 80 columns, JSON and files, and what is refused."""

import json
from pathlib import Path

import pytest

import video_tcav as vt
from video_tcav.rendered import render, sample_factors

OPTIONS = ("--model", "rendered:r2plus1d-scene", "--device", "cpu", "--target", "playing tennis", "--layer", "stages.3")
QUICK = ("--components", "3", "--permutations", "199", "--bootstraps", "50", "--intervene", "none", "--twin", "frozen")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("discover")
    for name, count, seed, factors in (("court", 12, 1, {"scene": "court"}), ("any", 16, 2, {})):
        (folder / name).mkdir()
        for number, clip in enumerate(sample_factors(count, seed=seed, **factors)):
            vt.write_video(folder / name / f"{number}.mp4", render(clip).clip, fps=12)
    return folder


def arguments(videos, *more):
    return ("discover", *OPTIONS, "--clips", videos / "court", "--random", videos / "any", *QUICK, *more)


def test_sentences_come_first_then_a_row_a_component(call, videos, tmp_path):
    files = ("--json", tmp_path / "discovery.json", "--out", tmp_path / "out", "--alpha", "0.2")
    code, out, error = call(*arguments(videos, *files))
    assert code == 0, error
    result = json.loads((tmp_path / "discovery.json").read_text())
    components = result["components"]
    assert len(components) == 3
    confirmed = [component for component in components if component["confirmed"]]
    assert out.startswith(f"• {len(confirmed) or 'None'} of 3 components")
    rows = [line for line in out.splitlines() if line.startswith("#")]
    assert [row.split()[0] for row in rows] == [c["name"].replace("component-", "#") for c in components]
    for row, component in zip(rows, components, strict=True):
        assert component["kind"] in row and any(mark in row for mark in "*°") == component["confirmed"]
    assert max(map(len, rows)) <= 80
    assert vt.load_discovery(tmp_path / "out").to_frame().name.tolist() == [c["name"] for c in components]
    needed = {"name", "layer", "kind", "stability", "effect", "effect_low", "effect_high", "p_value", "p_adjusted"}
    assert needed | {"confirmed", "n_tubes"} <= set(components[0])


def test_too_few_videos_are_one_line(call, videos):
    few = ("--clips", videos / "court" / "0.mp4", "--random", videos / "any")
    code, _, error = call("discover", *OPTIONS, *few)
    assert code == 2
    assert "error: `clips` must come from at least 6 independent groups" in error
    assert len(error.strip().splitlines()) == 1


def test_nmf_on_signed_activations_is_one_line(call, videos):
    options = [option.replace("r2plus1d", "transformer").replace("stages", "blocks") for option in OPTIONS]
    sets = ("--clips", videos / "court", "--random", videos / "any")
    code, _, error = call("discover", *options, *sets, *QUICK, "--method", "nmf")
    assert code == 2
    assert (
        "error: `method` must be sparse, convex, topk or kmeans at a layer whose activations have signs. Got nmf"
        in error
    )


def test_words_without_an_encoder_are_one_line(call, videos, tmp_path):
    code, _, error = call(*arguments(videos, "--words", tmp_path / "words.txt"))
    assert code == 2
    assert error.strip() == (
        "error: `--words` must come with --text-encoder, which compares clips with them. Got none. Name an encoder."
    )


def test_names_are_suggested_by_words_of_a_file(call, videos, tmp_path):
    encoder = Path(__file__).parents[1] / "words" / "colours.py"
    (tmp_path / "words.txt").write_text("red\ngreen\nblue\n")
    options = ("--text-encoder", f"file:{encoder}:build", "--words", tmp_path / "words.txt", "--alpha", "0.99")
    code, out, error = call(*arguments(videos, *options, "--json", tmp_path / "result.json"))
    assert code == 0, error
    names = json.loads((tmp_path / "result.json").read_text())["suggested_names"]
    assert names
    for component, suggestions in names.items():
        words = [suggestion["word"] for suggestion in suggestions["suggestions"]]
        assert sorted(words) == ["blue", "green", "red"]
        assert f"Words nearest to {component}, of 3: {words[0]}" in " ".join(out.split())
