"""Chart of pairs: it holds the targets of both clips of every pair, the truth, and estimates at each layer."""

import pytest
from matplotlib.colors import to_hex

from video_tcav.reports.charts import MUTED, NARROW_IN, PAPER, SERIES, chart_style
from video_tcav.reports.pair_charts import draw_pairs, pairs_words
from video_tcav.tcav import MeasuredPair, PairedEffects, PairEstimate


def pair(name: str, without: float, with_it: float) -> MeasuredPair:
    return MeasuredPair(
        pair=name,
        with_concept=f"with/{name}",
        without=f"without/{name}",
        target_with=with_it,
        target_without=without,
        predicted_with="tennis",
        predicted_without="golf",
    )


def estimate(layer: str, estimator: str, at: str, effect: float, **changes) -> PairEstimate:
    values = {"effect_low": effect - 0.5, "effect_high": effect + 0.5, "size": effect / 4, "right_sign": effect > 0}
    numbers = {"effect": effect, **values, "space": "flatten", **changes}
    return PairEstimate(layer=layer, estimator=estimator, at=at, **numbers)  # pyright: ignore[reportArgumentType]


@pytest.fixture
def pairs() -> PairedEffects:
    return PairedEffects(
        target="tennis",
        against="log_odds",
        truth=4.0,
        truth_low=3.0,
        truth_high=5.0,
        threshold=0.5,
        estimates=(
            estimate("", "difference", "without", 4.0),
            *(estimate("early", name, at, -1.0) for name, at in (("paired", "both"), ("slope", "without"))),
            *(estimate("late", name, at, 3.0) for name, at in (("paired", "both"), ("slope", "without"))),
            estimate("late", "paired", "both", 99.0, space="channel"),
        ),
        pairs=(pair("a", -2.0, 1.0), pair("b", -1.0, 4.0)),
        n_groups=2,
        n_random_clips=0,
        n_rerun=0,
    )


def test_each_pair_is_a_line_and_the_means_are_bars(pairs):
    clips, _ = pairs.plot().axes
    lines = {tuple(line.get_ydata()) for line in clips.lines if list(line.get_xdata()) == [0, 1]}
    assert {(-2.0, 1.0), (-1.0, 4.0)} <= lines
    points = {
        (float(line.get_xdata()[0]), float(line.get_ydata()[0])): to_hex(line.get_markerfacecolor())
        for line in clips.lines
        if line.get_marker() == "o"
    }
    assert points == {(0, -2.0): PAPER, (1, 1.0): MUTED, (0, -1.0): PAPER, (1, 4.0): MUTED}
    bars = {tuple(line.get_ydata()) for line in clips.lines if line.get_linewidth() == 2}
    assert bars == {(-1.5, -1.5), (2.5, 2.5)}


@pytest.mark.parametrize("width", [NARROW_IN, 7.8])
def test_truth_and_estimates_by_layer(pairs, width):
    with chart_style():
        figure = draw_pairs(pairs, width)
    _, rows = figure.axes
    assert [label.get_text() for label in rows.get_yticklabels()] == ["early", "late"]
    points = [
        (float(line.get_xdata()[0]), line.get_marker(), to_hex(line.get_markerfacecolor()))
        for line in rows.lines
        if line.get_marker() in {series.marker for series in SERIES}
    ]
    # hollow where the sign is wrong
    assert points == [
        (-1.0, SERIES[0].marker, PAPER),
        (-1.0, SERIES[1].marker, PAPER),
        (3.0, SERIES[0].marker, SERIES[0].colour),
        (3.0, SERIES[1].marker, SERIES[1].colour),
    ]
    assert any(list(line.get_xdata()) == [4.0, 4.0] for line in rows.lines)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "wrong sign" in texts and "called otherwise" in texts


def test_another_space_and_no_layers(pairs):
    _, rows = pairs.plot(space="channel").axes
    assert [label.get_text() for label in rows.get_yticklabels()] == ["late"]
    without = PairedEffects.from_dict({**pairs.to_dict(), "estimates": [], "skipped": []})
    assert len(without.plot().axes) == 1


def test_words_hold_all_numbers(pairs):
    assert pairs_words(pairs, "flatten") == (
        "2 pairs show +4.00 log-odds [+3.00, +5.00]. Each pair without and with the concept: a -2.00 to +1.00; b -1.00 to +4.00."
        " Estimates of the change: early, paired: own slope, own shift -1.00 (-1.50 to -0.50); "
        "early, slope, mean shift -1.00 (-1.50 to -0.50); late, paired: own slope, own shift +3.00 (+2.50 to +3.50); "
        "late, slope, mean shift +3.00 (+2.50 to +3.50)."
    )
