import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.reports.sample_run import Sample, write_run
from video_tcav.reports.run.clip_budget import clips_per_set
from video_tcav.reports.run.clips import heat_table, player
from video_tcav.reports.run.text import short_clip, short_model, slug
from video_tcav.reports.run.timeline import HEIGHT, WIDTH, Line, line_look, timeline


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("run"), Sample(previews=0, twins=False))


def test_lines_and_maps_are_in_the_units_of_the_effect(run):
    found = player(run, run.shown[0], run.analyses[0], number=1)
    assert found.unit == "log-odds" and found.comparable
    label = re.findall('aria-label="([^"]*)"', found.chart)[0]
    assert "swing/dynamic, sum +3, strongest +1.5 at 0.40 s" in label and "court, sum -1.5" in label
    assert [(one.name, one.effect) for one in found.maps] == [
        ("swing/dynamic", 3.0),
        ("court", -1.5),
        ("nothing", 0.01),
        ("Grad-CAM", None),
    ]
    assert found.shared == pytest.approx([1.0, 0.5, 0.01 / 3, 0.0], rel=0.02)
    assert found.poster == 4  # where the strongest concept acts most: 0.4 s


def test_other_cavs_share_no_unit(tmp_path):
    run = write_run(tmp_path, Sample(cav="svm", previews=0, twins=False))
    found = player(run, run.shown[0], run.analyses[0], number=1)
    assert not found.comparable and set(found.shared) == {0.0}
    assert "log-odds per unit of activation" in found.chart and "swing/dynamic, sum +0.075" in found.chart


def test_smaller_clips_take_less_room(run):
    whole, half = (player(run, run.shown[0], run.analyses[0], number=1, shrink=shrink) for shrink in (1, 2))
    assert half.size_px == tuple(side // 2 for side in whole.size_px) and half.size < whole.size


def test_heat_has_no_colour_where_there_is_none():
    table = heat_table()
    assert len(table) == 256 and table[128][3] == 0 and table[1][3] == table[255][3] == max(one[3] for one in table)
    assert table[255][0] > table[255][2] and table[1][2] > table[1][0]  # orange for, blue against


@given(
    values=st.lists(st.floats(-1e3, 1e3, allow_nan=False), min_size=1, max_size=9),
    length_s=st.floats(0, 30),
    name=st.text(max_size=9),
)
def test_a_timeline_stays_inside_its_frame(values, length_s, name):
    times_s = np.linspace(0, length_s, len(values))
    drawing = timeline(
        [Line(name=name, look=0, values=np.array(values), times_s=times_s)],
        length_s=length_s,
        unit="log-odds",
        name="t",
    )
    [points] = re.findall('points="([^"]*)"', drawing)
    places = np.array([[float(number) for number in point.split(",")] for point in points.split()])
    assert places.shape == (len(values), 2)
    assert (places >= 0).all() and (places[:, 0] <= WIDTH).all() and (places[:, 1] <= HEIGHT).all()
    order = np.argsort(values, kind="stable")
    assert (np.diff(places[order, 1]) <= 0.11).all()  # higher values are drawn higher, up to rounding
    assert "<script" not in drawing


def test_sixteen_concepts_look_different():
    assert len({line_look(number) for number in range(16)}) == 16


@given(st.lists(st.lists(st.integers(1, 5000), max_size=4), max_size=5), st.integers(-10, 60_000))
def test_previews_fit_and_sets_are_treated_alike(sizes, budget):
    count = clips_per_set(sizes, budget)
    taken = sum(sum(clips[:count]) for clips in sizes)
    one_more = sum(sum(clips[: count + 1]) for clips in sizes)
    assert count == 0 or taken <= budget
    assert one_more > budget or count == max(map(len, sizes), default=0)


def test_names_are_short_and_tell_nothing_of_the_machine():
    assert short_clip("/home/someone/clips/tennis/1.mp4") == "tennis/1.mp4"
    assert short_clip(r"C:\clips\tennis\1.mp4") == "tennis/1.mp4" and short_clip("1.mp4") == "1.mp4"
    assert short_model("file:/home/someone/net.py:build") == "net.py:build" and short_model("my net") == "my net"
    assert (
        short_model("hf:/models/videomae") == "videomae" and short_model("torchvision:r3d_18") == "torchvision:r3d_18"
    )
    assert slug("Playing <tennis>!") == "playing-tennis" and slug("网球") == "unnamed"
