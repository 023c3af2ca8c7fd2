"""The benchmarks of discovery, small: planted truth, and runs in which nothing is there."""

import numpy as np
import pytest
from benchmarks.discovery.null import null_run, recorded_pool
from benchmarks.discovery.rendered import measure_rendered, table
from benchmarks.discovery.worlds import DiscoveryWorld

from video_tcav.discovery.settings import DiscoverySettings


def test_the_planted_scene_is_among_the_confirmed_components():
    run, rows = measure_rendered("r2plus1d-scene", 0, DiscoverySettings(components=4), class_clips=40, permutations=999)
    assert run.confirmed == len(rows) >= 1
    # a fifth of the random clips show the scene, too: an AUC of 0.9 is all that can be had on average
    assert max(max(row.auc, 1 - row.auc) for row in rows[:3]) > 0.8
    assert max(row.cosine for row in rows[:3]) > 0.9
    assert {row.kind for row in rows} == {"appearance"} == {row.true_kind for row in rows}
    assert table([run]).confirmed.tolist() == [run.confirmed]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("r2plus1d-motion", "motion"), ("transformer-scene", "appearance"), ("r2plus1d-order", "order")],
)
def test_the_true_kind_is_what_the_network_itself_loses(name, kind):
    assert DiscoveryWorld.sample(name, 0, class_clips=20, random_clips=40).true_kind == kind


def test_an_ideal_map_lies_on_the_mask():
    world = DiscoveryWorld.sample("r2plus1d-object", 0, class_clips=2, random_clips=2)
    assert world.mask(0).shape == (16, 64, 64)
    assert 0 < world.mask(0).mean() < 0.1
    assert world.has_cause[:2].all()


@pytest.mark.parametrize("shuffled", [False, True])
def test_nothing_is_confirmed_where_class_clips_are_random_clips_or_labels_are_shuffled(shuffled):
    discovery = DiscoverySettings(components=4)
    with recorded_pool("r2plus1d-object", 120, ["stages.3"], 0, shuffled=shuffled) as pool:
        runs = [null_run(pool, discovery, permutations=199, seed=seed) for seed in range(1, 16)]
    assert sum(run.confirmed > 0 for run in runs) <= 2
    assert np.mean([run.uncorrected / run.components for run in runs]) < 0.15
