from dataclasses import replace

import cv2
import pytest
from benchmarks.attribution_table.checks import MethodResult
from benchmarks.attribution_table.figure import attribution_figure, write_attribution_figure
from benchmarks.attribution_table.table import AttributionBenchmark
from matplotlib.colors import to_rgb

from video_tcav.core.errors import InputError

RULES = ("motion", "order", "object", "scene")


def result(model, rule, method, energy, **fields):
    usual = {
        "area": 0.1,
        "deletion": 0.2,
        "deletion_elsewhere": 0.5,
        "deletion_other_clips": 0.3,
        "model_free_deletion": 0.1,
        "gain_low": 0.1,
        "gain_other_clips_low": 0.05,
        "gain_model_free_low": -0.2,
        "randomisation": 0.1,
        "chance": 0.08,
        "fails": False,
    }
    return MethodResult(model=model, rule=rule, method=method, clips=4, energy=energy, **{**usual, **fields})


def sample(rules=RULES):
    results = []
    for rule in rules:
        for model in ("r2plus1d", "transformer"):
            name = f"rendered:{model}-{rule}"
            results.append(result(name, rule, "truth", 1.0, randomisation=float("nan"), fails=None))
            results.append(result(name, rule, "centre", 0.1, model_free_deletion=float("nan"), fails=True))
            results.append(result(name, rule, "poor", 0.05, deletion=0.9, gain_low=-0.5))
            results.append(result(name, rule, "good", 0.7))
            results.append(result(name, rule, "ragged", 0.3, randomisation=0.9, fails=model == "transformer"))
            results.append(MethodResult(model=name, rule=rule, method="rollout", note="does not apply"))
    return AttributionBenchmark(results=tuple(results), provenance={})


def plain(text):
    """With ordinary spaces."""
    return text.get_text().replace("\N{NO-BREAK SPACE}", " ")


def rows(axes):
    """What the cells of each method say."""
    names = [label.get_text() for label in axes.figure.axes[0].get_yticklabels()]  # shared by all
    found = {name: {} for name in names}
    for text in axes.texts:
        column, row = text.get_position()
        found[names[round(row)]][round(column)] = plain(text)
    return {name: [cells[column] for column in sorted(cells)] for name, cells in found.items()}


def test_the_truth_stands_first_then_maps_without_a_model_and_methods_by_what_they_find():
    inside, elsewhere, other_clips, model_free, random = attribution_figure(sample()).axes
    assert list(rows(inside)) == ["the true cause", "centre (no model)", "good", "ragged", "poor", "rollout"]
    assert rows(inside)["good"] == ["70 %"] * 4
    assert rows(elsewhere)["good"] == ["+0.30"] * 4 and rows(elsewhere)["poor"] == ["−0.40*"] * 4
    assert rows(other_clips)["good"] == ["+0.10"] * 4 and rows(model_free)["good"] == ["−0.10*"] * 4
    assert rows(model_free)["centre (no model)"] == ["–"] * 4
    assert rows(random)["good"] == ["+0.02"] * 4 and rows(random)["ragged"] == ["fails 1 of 2"] * 4
    assert rows(random)["the true cause"] == ["–"] * 4
    assert all(rows(axes)["rollout"] == ["–"] * 4 for axes in (inside, elsewhere, other_clips, model_free, random))


def test_heads_say_what_chance_gives():
    heads = [plain(label) for label in attribution_figure(sample(("object",))).axes[0].get_xticklabels()]
    assert heads == ["object\nchance 10 %"]


def test_better_is_greener():
    first = attribution_figure(sample(("motion",))).axes[0]
    shades = [to_rgb(patch.get_facecolor()) for patch in first.patches if patch.get_y() < 0 or patch.get_y() > 1]
    greener = [green - red for red, green, _ in shades]
    assert greener[0] >= greener[1] > greener[2] > greener[3]


def test_the_picture_is_written_the_same_each_time(tmp_path):
    benchmark = sample(RULES[:2])
    first, second = (write_attribution_figure(benchmark, tmp_path / f"{name}.svg").read_text() for name in "ab")
    assert first == second and "fails 1 of 2" in first
    pixels = cv2.imread(str(write_attribution_figure(benchmark, tmp_path / "a.png")))
    assert pixels is not None and (pixels < 128).any()
    with pytest.raises(InputError, match=r"`path` must end in .png or .svg. Got a.gif"):
        write_attribution_figure(benchmark, tmp_path / "a.gif")


def test_a_table_without_the_truth_is_drawn_too():
    benchmark = sample(("scene",))
    kept = tuple(replace(one, method="only") for one in benchmark.results if one.method == "good")
    figure = attribution_figure(AttributionBenchmark(results=kept, provenance={}))
    assert list(rows(figure.axes[0])) == ["only"]
