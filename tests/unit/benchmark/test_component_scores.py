"""Enrichment, presence and stability of components, beside their definitions written out."""

from itertools import permutations

import numpy as np
import pytest
import torch

from video_tcav.benchmark.component_scores import (
    direction_stability,
    enrichment,
    map_stability,
    matched_cosine,
    presence_auc,
)
from video_tcav.benchmark.contract import Component


def component(maps, direction=()):
    maps = np.asarray(maps, float)
    return Component(maps=maps, presence=maps.mean((1, 2, 3)), direction=np.asarray(direction, float))


def test_enrichment_is_the_share_of_the_strongest_voxels_inside_by_the_area():
    generator = torch.Generator().manual_seed(1)
    maps, mask = torch.rand(3, 4, 5, 5, generator=generator), torch.rand(3, 4, 5, 5, generator=generator) < 0.3
    voxels = sorted(zip(maps.flatten().tolist(), mask.flatten().tolist(), strict=True), reverse=True)
    strongest = voxels[: int(0.1 * len(voxels))]
    expected = np.mean([inside for _, inside in strongest]) / np.mean([inside for _, inside in voxels])
    assert enrichment(maps, mask, top_share=0.1) == pytest.approx(expected)


def test_maps_of_zeros_and_ones_are_judged_as_dense_ones():
    mask = torch.zeros(1, 1, 10, 10, dtype=torch.bool)
    mask[..., :2] = True  # a fifth
    assert enrichment(mask.float(), mask, top_share=0.05) == pytest.approx(5)
    half = mask.float()
    half[..., 2:4] = 1  # twice as large: all of it ties
    assert enrichment(half, mask, top_share=0.05) == pytest.approx(2.5)
    few = torch.zeros_like(half)
    few[0, 0, 0, 0] = few[0, 0, 0, 9] = 1  # fewer than the share: none of the zeros counts
    assert enrichment(few, mask, top_share=0.05) == pytest.approx(2.5)
    assert enrichment(torch.zeros_like(half), mask, top_share=0.05) == 0
    assert enrichment(torch.ones_like(half), mask, top_share=0.05) == pytest.approx(1)


def test_presence_is_ranked_class_against_others():
    presence, is_class = np.array([3.0, 1.0, 2.0, 2.0]), np.array([True, False, True, False])
    pairs = [np.sign(a - b) / 2 + 0.5 for a in presence[is_class] for b in presence[~is_class]]
    assert presence_auc(presence, is_class) == pytest.approx(np.mean(pairs))


def test_components_are_matched_so_that_cosines_are_largest():
    generator = np.random.default_rng(3)
    first, second = generator.normal(size=(4, 6)), generator.normal(size=(5, 6))
    unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (first, second)]
    best = max(np.mean([unit[0][i] @ unit[1][j] for i, j in enumerate(order)]) for order in permutations(range(5), 4))
    assert matched_cosine(first, second) == pytest.approx(best)
    assert matched_cosine(first, first[::-1] * 7) == pytest.approx(1)
    assert matched_cosine(np.zeros((2, 3)), np.ones((2, 3))) == 0


def test_maps_are_stable_beyond_what_all_positive_maps_share():
    generator = np.random.default_rng(4)
    maps = [component(generator.random((2, 4, 4, 4)), generator.normal(size=5)) for _ in range(3)]
    fresh = [component(generator.random((2, 4, 4, 4))) for _ in range(3)]
    assert map_stability(maps, maps[::-1]) == pytest.approx(1)
    assert abs(map_stability(maps, fresh)) < 0.3  # their cosine would be 0.75
    assert direction_stability(maps, maps[::-1]) == pytest.approx(1)
    assert np.isnan(direction_stability(maps, fresh)) and np.isnan(direction_stability(fresh, fresh))
    fine = [component(np.repeat(maps[1].maps, 2, axis=3)), *fresh]  # a finer grid is no other component
    assert map_stability(maps[1:2], fine) > 0.8
