"""Frozen versions: the same clips and models pass, any other is refused."""

from dataclasses import replace

import pytest
import torch

from video_tcav.benchmark.models import benchmark_models
from video_tcav.benchmark.versions import (
    ATTRIBUTION,
    CONCEPTS,
    TOLERANCE,
    check_clips,
    check_model,
    fingerprint,
)
from video_tcav.core.errors import InputError
from video_tcav.models import load_model
from video_tcav.rendered import rule_of
from video_tcav.rendered.rules import RULES

RULE = rule_of("object")
VERSION = ATTRIBUTION[True]


@pytest.fixture(scope="module")
def clips():
    return VERSION.clips_of(RULE)


@pytest.mark.parametrize("rule", RULES)
def test_clips_are_those_that_were_frozen(rule):
    for version in (*ATTRIBUTION, CONCEPTS[1]):
        check_clips(version, rule_of(rule), version.clips_of(rule_of(rule)))


def test_models_are_those_that_were_frozen():
    for model, _ in benchmark_models():
        for version in (*ATTRIBUTION, *CONCEPTS):
            check_model(version, model)


def test_a_changed_figure_is_refused(clips):
    cause = clips.cause.roll(1, dims=3)
    with pytest.raises(
        InputError, match="must be compared on its own clips. Got other factors, classes, masks or settings"
    ):
        check_clips(VERSION, RULE, replace(clips, cause=cause))


def test_changed_settings_are_refused(clips):
    with pytest.raises(InputError, match="Got other factors, classes, masks or settings for the rule object"):
        check_clips(replace(VERSION, steps=8), RULE, clips)
    with pytest.raises(
        InputError, match="`version` must be one of rendered-attribution-1, .* Got 'rendered-attribution-0'"
    ):
        check_clips(replace(VERSION, name="rendered-attribution-0"), RULE, clips)


def test_pixels_may_differ_by_rounding_and_no_more(clips):
    rounded = clips.pixels.clone()
    rounded[0, 3, :, 10:12, 20:40] += 1
    check_clips(VERSION, RULE, replace(clips, pixels=rounded))
    moved = clips.pixels.clone()
    moved[0] = moved[0].roll(1, dims=3)  # one clip of six, by one pixel
    with pytest.raises(InputError, match="Got other pixels for the rule object"):
        check_clips(VERSION, RULE, replace(clips, pixels=moved))
    frozen, measured = (fingerprint(VERSION, RULE, replace(clips, pixels=pixels)) for pixels in (clips.pixels, moved))
    assert frozen["digest"] == measured["digest"]
    assert max(abs(a - b) for a, b in zip(frozen["cells"], measured["cells"], strict=True)) > TOLERANCE


def test_other_weights_are_refused():
    model = load_model("rendered:r2plus1d-object", device="cpu")
    with torch.no_grad():
        model.module.head.bias[0] += 1e-3
    with pytest.raises(InputError, match="must be compared on its own models. Got other weights for rendered:r2plus1d"):
        check_model(VERSION, model)
