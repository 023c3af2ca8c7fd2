"""`discover`, as a user meets it: sentences, a table of 80 columns, JSON and files, and what is refused."""

import json

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
        assert component["kind"] in row and ("*" in row) == component["confirmed"]
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
    assert "error: `method` must be sparse or kmeans at a layer whose activations have signs. Got nmf" in error
