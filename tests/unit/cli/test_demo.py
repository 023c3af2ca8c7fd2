"""What `demo` prints, at 80 columns and on a wide terminal."""

import pytest

from tests.unit.reports.samples import sample_demo
from video_tcav.cli import demo, render


@pytest.mark.parametrize(("width", "headings"), [(80, 2), (120, 1)])
def test_no_interval_is_broken_and_effects_stand_beside_those_of_motion_where_there_is_room(
    capsys, monkeypatch, tmp_path, width, headings
):
    monkeypatch.setattr(render.out, "width", width)
    result = sample_demo(tmp_path)
    render.out.print(demo._effects(result))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert sum(line.startswith("concept") for line in lines) == headings
    intervals = sum(line.count(" to ") for line in lines)
    measured = {
        (row.concept, row.twin) for model in result.models for row in model.result if row.twin in ("none", "motion")
    }
    shown = [(concept, twin) for concept, twin in measured if concept in demo.CLIP_KINDS]
    assert intervals == len(shown) * len(result.models)
