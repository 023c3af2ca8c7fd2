from dataclasses import replace

import cv2
import numpy as np
import pytest
from benchmarks.calibration.figure import calibration_figure, write_calibration_figure
from matplotlib.colors import to_hex

from tests.unit.reports.samples import ALL_MODELS, sample_calibration
from video_tcav.core.errors import InputError


def words(figure) -> str:
    return " ".join(
        [text.get_text() for axes in figure.axes for text in [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]]
        + [text.get_text() for text in figure.texts]
        + [text.get_text() for axes in figure.axes if axes.get_legend() for text in axes.get_legend().get_texts()]
        + [figure.get_supxlabel()]
    )  # fmt: skip


def test_a_small_calibration_makes_a_picture_with_four_panels(tmp_path):
    calibration = sample_calibration()
    figure = calibration_figure(calibration)
    assert len(figure.axes) == 4
    assert [axes.get_title(loc="left")[:3] for axes in figure.axes] == ["(a)", "(b)", "(c)", "(d)"]
    path = write_calibration_figure(calibration, tmp_path / "calibration.png")
    pixels = cv2.imread(str(path))
    assert pixels is not None
    quarters = [part for half in np.array_split(pixels, 2, axis=0) for part in np.array_split(half, 2, axis=1)]
    assert all((part < 128).any() and (part > 250).mean() > 0.5 for part in quarters)


def test_every_type_one_error_is_a_point():
    calibration = sample_calibration(ALL_MODELS)
    first = calibration_figure(calibration).axes[0]
    drawn = np.sort(np.concatenate([np.asarray(points.get_offsets())[:, 1] for points in first.collections]))
    errors = np.sort([row.rate for row in calibration.rejections if row.what == "type I"])
    np.testing.assert_allclose(drawn, errors)


def test_the_nominal_level_and_the_correlations_are_told():
    calibration = sample_calibration()
    figure = calibration_figure(calibration)
    assert 0.05 in [line.get_ydata()[0] for line in figure.axes[0].lines]
    cors = calibration.correlations()
    caption = figure.get_supxlabel()
    assert all(f"{value:.2f}" in caption for value in cors.values())


def test_power_rises_to_the_right_for_each_model():
    calibration = sample_calibration(ALL_MODELS)
    second = calibration_figure(calibration).axes[1]
    lines = [line for line in second.lines if not line.get_label().startswith("_")]
    assert [line.get_label() for line in lines] == [name.partition(":")[2] for name in ALL_MODELS]
    assert all(np.all(np.diff(line.get_ydata()) > 0) for line in lines)
    looks = {(to_hex(line.get_color()), line.get_linestyle()) for line in lines}
    assert len(looks) == len(ALL_MODELS)


def test_motion_effects_stand_where_they_were_measured():
    calibration = sample_calibration(ALL_MODELS[:4])
    fourth = calibration_figure(calibration).axes[3]
    motion = [line.get_xdata()[0] for line in fourth.lines if line.get_marker() == "o"]
    order = [line.get_xdata()[0] for line in fourth.lines if line.get_marker() == "^"]
    assert motion == pytest.approx([7, 0.01, 0.01, 7]) and order == pytest.approx([0.01, 0.01, 0.01, 7])


@pytest.mark.parametrize("what", ["type I", "power", "motion effect", "order effect", "agreements", "all"])
def test_what_was_not_measured_is_left_out(what, tmp_path):
    calibration = sample_calibration(ALL_MODELS[:1])
    kept = () if what == "all" else tuple(row for row in calibration.rejections if row.what != what)
    agreements = () if what in ("agreements", "all") else calibration.agreements
    calibration = replace(calibration, rejections=kept, agreements=agreements)
    missing = {"type I": 1, "power": 1, "agreements": 1, "all": 4}.get(what, 0)
    assert words(calibration_figure(calibration)).count("not measured") == missing
    if what == "all":
        assert write_calibration_figure(calibration, tmp_path / "figure.png").stat().st_size > 0


def test_values_that_do_not_vary_have_no_correlation():
    calibration = sample_calibration(ALL_MODELS[:1])
    same = tuple(replace(one, tcav_effect=0.0, nil=False) for one in calibration.agreements)
    assert "Pearson –, rank –" in calibration_figure(replace(calibration, agreements=same)).get_supxlabel()


def test_the_same_calibration_gives_the_same_svg(tmp_path):
    calibration = sample_calibration(ALL_MODELS[:1])
    first, second = (write_calibration_figure(calibration, tmp_path / f"{name}.svg").read_text() for name in "ab")
    assert first == second and "not measured" not in first and "permutation test" in first


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"`path` must end in .png or .svg. Got figure.gif"):
        write_calibration_figure(sample_calibration(ALL_MODELS[:1]), tmp_path / "figure.gif")
