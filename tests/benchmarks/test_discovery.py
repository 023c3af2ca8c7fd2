"""The benchmarks of discovery, small: planted truth, and runs in which nothing is there."""

import numpy as np
import pytest
from benchmarks.discovery.layers import layer_table, measure_layers
from benchmarks.discovery.null import null_run, recorded_pool
from benchmarks.discovery.rendered import PlacedMaps, measure_rendered, table
from benchmarks.discovery.worlds import DiscoveryWorld

from video_tcav.discovery.layer_grid import layer_grids
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
    with recorded_pool("r2plus1d-object", 120, ["stages.3"], 0, shuffled=shuffled) as (pool, runner):
        runs = [null_run(pool, runner, discovery, permutations=199, seed=seed) for seed in range(1, 16)]
    assert sum(run.confirmed > 0 for run in runs) <= 2
    assert np.mean([run.uncorrected / run.components for run in runs]) < 0.15


def test_the_true_mask_is_seen_where_positions_lie():
    """Against the definition, written out: a position averages the pixels around its middle by the weight that it gives them."""
    world = DiscoveryWorld.sample("r2plus1d-object", 0, class_clips=3, random_clips=0)
    masks = np.stack([world.mask(clip) for clip in range(3)])
    for layer, grid in layer_grids(world.model, ("stages.1", "stages.3")).items():
        maps = PlacedMaps(grid=grid, maps=np.zeros((3, *grid.size, 1)), masks=masks)
        weights = []
        for positions, length, spacing in zip(grid.size, grid.clip_shape, grid.spacings, strict=True):
            at = np.clip((np.arange(length) - spacing.first) / spacing.step, 0, positions - 1)
            weights.append(np.maximum(0, 1 - np.abs(at - np.arange(positions)[:, None])))
        mean = [weight / np.maximum(weight.sum(1, keepdims=True), 1e-9) for weight in weights]
        seen = np.einsum("cthw,at,bh,dw->cabd", masks, *mean)
        enlarged = np.einsum("cabd,at,bh,dw->cthw", seen, *weights)
        assert maps.own == pytest.approx((enlarged * masks).sum() / enlarged.sum() / masks.mean(), rel=1e-4), layer


def test_layers_are_measured_one_by_one():
    rows = measure_layers("r2plus1d-object", 0, class_clips=24, permutations=199)
    assert [row.layer for row in rows] == ["stages.0", "stages.1", "stages.2", "stages.3"]
    assert [row.step_px for row in rows] == [8, 8, 16, 16]
    # finer grids let a mask be seen more sharply
    assert rows[1].own > rows[3].own > 2
    # where the component that is most on the object is one of the confirmed ones, both columns say so
    assert all(not row.confirmed > row.stable + 1e-9 for row in rows)
    # what is taken out where it is changes the class as its presence says, though a shift everywhere may not
    assert rows[1].right_sign < 0.5 < rows[1].right_removal
    assert rows[3].right_sign == rows[3].right_removal == 1
    assert layer_table(rows).layer.tolist() == [row.layer for row in rows]
