"""`pairs`, as a user meets it: a manifest with the column, the table, JSON, and what is refused."""

import json

import pytest

import video_tcav as vt
from video_tcav.rendered import render, sample_factors

MODEL, TARGET = "rendered:r2plus1d-scene", "playing tennis"


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Four clips on the street, and the same on a court, paired by a column alone."""
    folder = tmp_path_factory.mktemp("pairs")
    rows = ["path,label,pair"]
    for number, clip in enumerate(sample_factors(4, seed=3, scene="street")):
        for scene in ("street", "court"):
            name = f"{scene}{number if scene == 'street' else 9 - number}.mp4"
            vt.write_video(folder / name, render(clip.with_factor("scene", scene)).clip, fps=12)
            rows.append(f"{name},{scene},take {number}")
    (folder / "pairs.csv").write_text("\n".join(rows))
    return folder / "pairs.csv"


def arguments(with_concept, without, *more):
    options = ("--model", MODEL, "--device", "cpu", "--target", TARGET, "--layer", "stages.3")
    return ("pairs", *options, "--with", with_concept, "--without", without, *more)


def test_the_truth_and_a_row_an_estimate_are_printed_and_stand_in_the_json(call, manifest, tmp_path):
    code, out, error = call(*arguments(f"{manifest}::court", f"{manifest}::street", "--json", tmp_path / "pairs.json"))
    assert code == 0, error
    result = json.loads((tmp_path / "pairs.json").read_text())
    assert result["truth"] > 6
    assert {pair["pair"] for pair in result["pairs"]} == {f"take {number}" for number in range(4)}
    text = " ".join(out.split())
    assert f"4 pairs (4 groups): the concept changes {TARGET} by {result['truth']:+.2f} log-odds" in text
    assert f"({TARGET} is that of 0 without it and of 4 with it)" in text
    names = [line for line in out.splitlines() if line.startswith(("stages.3 ", "– "))]
    assert len(names) == len(result["estimates"]) == 1 + 3 + 3
    for line, estimate in zip(names, result["estimates"], strict=True):
        assert f"{estimate['effect']:+.2f}" in line and f"{estimate['size']:.2f}" in line and "right" in line


def test_a_pair_without_its_other_clip_is_one_line(call, manifest):
    table = manifest.with_name("half.csv")
    table.write_text(manifest.read_text().replace("take 2", "take 7", 1))
    code, _, error = call(*arguments(f"{table}::court", f"{table}::street"))
    assert code == 2
    assert (
        "error: `with_concept` and `without` must hold one clip each of every pair. Got 2 in one of them alone, the first: "
        "'take 2' in `with_concept`, not in `without`." in error
    )
    assert len(error.strip().splitlines()) == 1


def test_a_malformed_pair_is_one_line(call, manifest):
    table = manifest.with_name("broken.csv")
    table.write_text(manifest.read_text().replace("take 1", '"take\n1"', 1))
    code, _, error = call(*arguments(f"{table}::court", f"{table}::street"))
    assert code == 2
    assert "row 3 after the header, must be one line. Got a line break in `pair`." in error
