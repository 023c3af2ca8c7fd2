"""Example clips of a report: which are chosen, and why."""

import numpy as np

from tests.unit.reports.sample_run import LAYERS, Sample, write_run
from video_tcav.experiments.example_clips import choose_clips


def test_clips_are_chosen_where_concepts_moved_the_class_most_and_least(tmp_path):
    sample = Sample(models=("only",), concepts=("court", "nothing"), twins=False, shown=0, previews=0)
    analysis = write_run(tmp_path, sample).analyses[0]
    by_clip = {"court": [-1.0, -3.0, -0.5, -2.0, -2.0], "nothing": [0.1, 0.2, 0.3, 0.0, 0.0]}
    for stored in analysis.found:
        object.__setattr__(stored, "by_clip", np.array(by_clip[stored.result.concept]))
    chosen = choose_clips(analysis, LAYERS[-1], 4)
    assert [(index, why) for index, why, _ in chosen] == [
        (2, "Of 5 clips, court lowered the class least here; nothing raised the class most here"),
        (1, "Of 5 clips, court lowered the class most here"),
        (3, "Of 5 clips, nothing raised the class least here"),
    ]
    assert chosen[0][2] == {"court": -0.5, "nothing": 0.3}
    assert [index for index, *_ in choose_clips(analysis, LAYERS[-1], 1)] == [2]
