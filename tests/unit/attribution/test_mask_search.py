import pytest
import torch

from tests.unit.models.networks import unchanged
from video_tcav.attribution.optimised_masks import check_search, search_mask, span
from video_tcav.core.errors import InputError

from . import tiny


def test_it_finds_the_least_and_tells_how_far_it_is():
    wanted, told, steps = torch.tensor([0.1, 0.9, 0.5], dtype=torch.float64), [], []

    def loss(mask, done):
        told.append(done)
        return (mask - wanted).square().sum()

    with torch.no_grad():
        found = search_mask(loss, wanted, steps=200, learning_rate=0.1, advance=steps.append)
    assert torch.allclose(found, wanted, atol=1e-3)
    assert found.dtype == torch.float64 and not found.requires_grad
    assert told == [step / 200 for step in range(200)]
    assert sum(steps) == pytest.approx(1)


def test_the_search_starts_at_one_half():
    seen = []
    search_mask(
        lambda mask, _done: seen.append(mask) or mask.sum(), torch.zeros(2), steps=1, learning_rate=0.1, advance=print
    )
    assert seen[0].tolist() == [0.5, 0.5]


def test_the_span_of_what_is_no_more_than_rounding_is_zero():
    assert span(torch.tensor([1.0, -3.0, 2.0])) == 5
    assert span(torch.tensor([7.0, 7.0 + 1e-6, 7.0])) == 0
    assert span(torch.tensor([7.0, 7.0 + 1e-6], dtype=torch.float64)) > 0
    assert span(torch.zeros(3)) == 0


def test_the_model_is_left_as_it_came():
    model = tiny.convolutions()
    with unchanged(model):
        search_mask(
            lambda mask, _done: model.logits(mask).sum(), tiny.noise_clips(1), steps=2, learning_rate=0.1, advance=print
        )
    assert all(parameter.grad is None for parameter in model.module.parameters())


def test_settings_that_do_not_fit():
    with pytest.raises(InputError, match="`steps` must be at least 1. Got 0."):
        check_search(0, 0.1)
    with pytest.raises(InputError, match="`learning_rate` must be positive. Got 0. 0.3 is usual."):
        check_search(1, 0)
