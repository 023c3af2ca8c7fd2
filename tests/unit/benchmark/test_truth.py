"""Masks of the true cause of each rule, and the map that lies on it."""

import torch

from video_tcav.benchmark.truth import true_cause, truth_maps
from video_tcav.rendered import Factors, render, rule_of


def test_the_true_cause_of_each_rule():
    rendered = render(Factors(motion="wave", object="ball", scene="court"))
    figure, held = rendered.mask("figure"), rendered.mask("object")
    for rule in ("motion", "order"):
        assert torch.equal(true_cause(rule_of(rule), rendered), figure | held)
    assert torch.equal(true_cause(rule_of("scene"), rendered), ~(figure | held))
    near = torch.zeros_like(held)
    for down in range(-2, 3):
        for across in range(-2, 3):
            near |= held.roll((down, across), (1, 2))  # it is nowhere near the edge
    assert torch.equal(true_cause(rule_of("object"), rendered), near)


def test_the_map_of_the_truth_ranks_the_cause_above_all_else_and_its_middle_first():
    cause = torch.zeros(1, 2, 24, 24, dtype=torch.bool)
    cause[..., 6:17, 6:17] = True
    values = truth_maps(cause)
    assert values[cause].min() > values[~cause].max()
    assert values[0, 0, 11, 11] == values.max() and values[0, 0, 0, 0] == values.min()
    assert values[0, 0, 5, 11] > values[0, 0, 1, 11]  # beside the cause before far from it
