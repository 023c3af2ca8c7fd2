"""Halves of the groups: disjoint, of like size, the same for the same seed; and what is refused before any pass."""

from pathlib import Path

import pytest
import torch

import video_tcav as vt
from video_tcav.core.errors import InputError
from video_tcav.discovery.plan import DiscoveryQuestion, plan_discovery, split_halves
from video_tcav.media import VideoSource, source_digest


def sources(prefix, count, videos=None):
    return [
        VideoSource(path=Path(f"{prefix}{number % (videos or count)}.mp4"), kind="video", start_s=float(number))
        for number in range(count)
    ]


def test_groups_stay_whole_and_each_kind_is_halved():
    clips, random = sources("a", 24, 8), sources("r", 40, 20)
    halves = split_halves(clips, random, lambda source: source.path.name, 3)
    by_group = {}
    for source in (*clips, *random):
        by_group.setdefault(source.path.name, set()).add(halves[source.key])
    assert all(len(of_group) == 1 for of_group in by_group.values())
    for prefix, groups in (("a", 8), ("r", 20)):
        finding = sum(half == {"find"} for name, half in by_group.items() if name.startswith(prefix))
        assert finding == groups // 2
    assert split_halves(clips, random, lambda source: source.path.name, 3) == halves
    assert split_halves(clips, random, lambda source: source.path.name, 4) != halves


def test_too_few_groups_are_one_clear_line():
    with pytest.raises(
        InputError,
        match=(
            "`clips` must come from at least 6 independent groups, since one half of them confirms what the other half finds. "
            "Got 20 clips in 4. Add clips"
        ),
    ):
        split_halves(sources("a", 20, 4), sources("r", 20), lambda source: source.path.name, 0)


@pytest.fixture(scope="module")
def model():
    return vt.load_model("rendered:r2plus1d-object")


def clips(name, count):
    generator = torch.Generator().manual_seed(len(name))
    return [
        (f"{name} {number}", torch.randint(0, 255, (4, 3, 16, 16), generator=generator, dtype=torch.uint8))
        for number in range(count)
    ]


def question(**changes):
    asked = {"target": "playing tennis", "clips": clips("class", 8), "random": clips("random", 12)}
    return DiscoveryQuestion(**{**asked, **changes})


@pytest.mark.parametrize("at", ["class", "random"])
def test_gradients_are_of_the_half_that_finds_and_twins_of_the_other(model, at):
    plan = plan_discovery(model, question(at=at), source_digest)
    assert {plan.halves[source.key] for source in plan.gradient_sources} == {"find"}
    assert all(source.key.startswith(at) for source in plan.gradient_sources)
    assert {plan.halves[source.key] for source in plan.twin_sources} == {"confirm"}
    assert len(plan.twin_sources) == 10


def test_without_twins_none_is_passed(model):
    assert plan_discovery(model, question(twins=()), source_digest).twin_sources == ()


def test_random_clips_that_are_class_clips_are_left_out(model):
    of_class = clips("class", 8)
    plan = plan_discovery(model, question(random=[*clips("random", 12), ("copy", of_class[0][1])]), source_digest)
    assert "copy" not in {source.key for source in plan.random_sources}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alpha": 1.0}, "`alpha` must be between 0 and 1. Got 1.0"),
        ({"at": "concept"}, "`at` must be one of class, random"),
        ({"twins": ("mirrored",)}, "`twin` must be one of frozen, reversed, shuffled"),
        ({"clips": clips("class", 5)}, "`clips` must come from at least 6 independent groups"),
        ({"random": clips("random", 3)}, "`random` must come from at least 6 independent groups"),
    ],
)
def test_what_cannot_be_done_is_refused_early(model, changes, message):
    with pytest.raises(InputError, match=message):
        plan_discovery(model, question(**changes), source_digest)
