"""Charts of interventions hold the numbers of their results."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex

import video_tcav as vt
from tests.unit.tcav.interventions.whole_forwards import LAYERS, SETS, load_network
from video_tcav.core.errors import InputError
from video_tcav.reports.charts import LOWERS, RAISES

BOTH = "left + drift"


@pytest.fixture(scope="module")
def model():
    return load_network()


@pytest.fixture(scope="module")
def results(model) -> list[vt.InterventionResult]:
    return [
        vt.intervene(
            model,
            target=target,
            layers=LAYERS,
            operations="clamp,remove,dose",
            together=[["left", "drift"]],
            permutations=60,
            bootstraps=60,
            relabellings=19,
            **SETS,
        )
        for target in ("b", "c")
    ]


def panels(figure):
    return {axes.get_title(loc="left"): axes for axes in figure.axes if axes.get_visible()}


def test_dose_curves_have_their_points_band_and_slope(results):
    grid = panels(results[0].plot_doses())
    assert set(grid) == {"left", "drift"}
    for concept, axes in grid.items():
        doses = {0.0: (0.0, 0.0, 0.0)} | {
            row.multiple: (row.effect, row.effect_low, row.effect_high)
            for row in results[0]
            if (row.concept, row.operation) == (concept, "dose")
        }
        curve = max(axes.lines, key=lambda line: len(line.get_xdata()))
        assert [*curve.get_xdata()] == sorted(doses)
        assert [*curve.get_ydata()] == [doses[multiple][0] for multiple in sorted(doses)]
        by_length = {len(line.get_xdata()): line for line in axes.lines if line.get_linestyle() != "-"}
        assert [*by_length[3].get_xdata()] == [-1, 0, 1]
        assert [*by_length[3].get_ydata()] == [doses[multiple][0] for multiple in (-1, 0, 1)]
        (effect,) = [row.effect for row in results[0] if (row.concept, row.operation) == (concept, "slope")]
        (x, y) = (by_length[2].get_xdata(), by_length[2].get_ydata())
        assert (y[1] - y[0]) / (x[1] - x[0]) == pytest.approx(effect)
        band = axes.collections[0].get_paths()[0].vertices
        assert band[:, 1].min() == pytest.approx(min(low for _, low, _ in doses.values()))
        assert band[:, 1].max() == pytest.approx(max(high for _, _, high in doses.values()))
        low, high = axes.get_ylim()
        assert low < band[:, 1].min() and band[:, 1].max() < high


def test_clips_stand_before_and_after(results):
    figure = results[0].plot_clips()
    grid = panels(figure)
    assert set(grid) == {"left", "drift", BOTH}
    frame = results[0].clip_frame()
    for concept, axes in grid.items():
        points = [line for line in axes.lines if line.get_marker() == "o"]
        rows = frame[(frame.concept == concept) & frame.edit.isin(["random", "concept"])]
        for column, edit in ((0, "random"), (2, "concept")):
            drawn = sorted(
                float(np.ravel(line.get_ydata())[0]) for line in points if np.ravel(line.get_xdata())[0] == column
            )
            assert drawn == sorted(rows[rows.edit == edit].target_after)
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["without", "as it is", "with"]
        hollow = [line for line in points if line.get_markerfacecolor() != line.get_markeredgecolor()]
        removed = rows[rows.edit == "random"]
        others = (removed.predicted_before != "b").sum() + (rows.predicted_after != "b").sum()
        assert len(hollow) == others


def test_the_matrix_has_what_removing_each_concept_does_to_each_class(results):
    figure = vt.plot_removal_matrix(results)
    axes = figure.axes[0]
    values = axes.images[0].get_array()
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["left", "drift", BOTH]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["b", "c"]
    texts = {tuple(int(place) for place in text.get_position()): text for text in axes.texts}
    for column, result in enumerate(results):
        for row, concept in enumerate(("left", "drift", BOTH)):
            (effect,) = [each for each in result if (each.concept, each.operation) == (concept, "remove")]
            assert values[row, column] == pytest.approx(-effect.effect)
            label = texts[column, row]
            assert label.get_text().startswith(f"{-effect.effect:+.2f}".replace("-", "−"))
            sure = effect.p_value <= 0.05 and effect.effect_low * effect.effect_high > 0
            assert (label.get_fontweight() == "bold") == sure
    colours = axes.images[0].get_cmap()
    assert [to_hex(colours(end)) for end in (0.0, 1.0)] == [LOWERS, RAISES]  # no change lies half-way
    assert axes.images[0].norm(0) == 0.5


def test_what_cannot_be_drawn_is_said(results):
    plain = replace(results[0], effects=tuple(row for row in results[0] if row.operation == "slope"), clips=())
    with pytest.raises(InputError, match="`result` must hold doses"):
        plain.plot_doses()
    with pytest.raises(InputError, match="`result` must hold edited clips"):
        plain.plot_clips()
    with pytest.raises(InputError, match="`results` must hold removals. Got none for b"):
        vt.plot_removal_matrix([plain, results[1]])
    with pytest.raises(InputError, match="`results` must be of several targets, each once. Got b, b"):
        vt.plot_removal_matrix([results[0], results[0]])
    with pytest.raises(InputError, match="`results` must be of one kind of target"):
        vt.plot_removal_matrix([results[0], replace(results[1], against="logit")])
