"""Removal in place: against its definition written out slowly, its error rate, and a cause that slopes have the wrong sign of."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import video_tcav as vt
from tests.unit.models.networks import ChannelsLast, FrameWise, Tokens
from tests.unit.reports.discovery_sample import component
from video_tcav.discovery.component_rows import judged
from video_tcav.discovery.layer_discovery import LayerDiscovery
from video_tcav.discovery.layer_grid import kept_beside_grids, layer_grids
from video_tcav.discovery.plan import DiscoveryQuestion, plan_discovery
from video_tcav.discovery.recorded_clips import record_clips
from video_tcav.discovery.removal import MOST_CLIPS, Removal, clips_with_most, layer_removals, moved_elsewhere
from video_tcav.discovery.settings import DiscoverySettings
from video_tcav.gram.concept_test import TestSettings
from video_tcav.models import layer_axes, parse_target
from video_tcav.recording.batch_runner import BatchRunner
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.workspace import Workspace
from video_tcav.rendered import render, sample_factors

FRAMES, SIDE = 4, 6


class Spot(nn.Module):
    """A class for what is somewhere and not everywhere: the largest value of all positions, less twice their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv3d(3, 4, 1, bias=False)
        self.layer.weight.data.copy_(torch.eye(4, 3)[:, :, None, None, None])

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        red = self.layer(clips)[:, 0].flatten(1)
        logit = 4 * (red.amax(1) - 2 * red.mean(1))
        return torch.stack([logit, torch.zeros_like(logit)], dim=1)


def spot_clips(name: str, count: int, with_spot: float, seed: int) -> list[tuple[str, torch.Tensor]]:
    """Dark clips of noise, of which so many have a red spot somewhere."""
    generator = np.random.default_rng(seed)
    clips = []
    for number in range(count):
        clip = generator.uniform(0, 20, (FRAMES, 3, SIDE, SIDE))
        if generator.random() < with_spot:
            row, column = (int(generator.integers(SIDE)) for _ in range(2))
            clip[:, 0, row, column] = generator.uniform(150, 255, FRAMES)
        clips.append((f"{name} {number}", torch.from_numpy(clip).to(torch.uint8)))
    return clips


def discovered_spot(**settings) -> vt.DiscoveryResult:
    model = vt.load_model(
        Spot(), frames=FRAMES, size=(SIDE, SIDE), mean=(0, 0, 0), std=(1, 1, 1), classes=["spot", "none"]
    )
    return vt.discover(
        model,
        target="spot",
        clips=spot_clips("spot", 40, 1.0, 1),
        random=spot_clips("any", 60, 0.3, 2),
        layers=["layer"],
        components=3,
        permutations=499,
        bootstraps=200,
        twins=(),
        operations="none",
        **settings,
    )


def test_a_cause_whose_slope_has_the_wrong_sign_is_confirmed_where_it_is():
    result = discovered_spot()
    [spot] = result.confirmed
    assert spot.confirmed_by == "removal" and spot.raises and spot.is_more_in_class
    # everywhere at once it is no spot: the mean, which counts twice, rises as the largest value does
    assert spot.effect < 0 and spot.effect_p < 0.05
    assert spot.removed_low > 1 and spot.removed_high > spot.removed > spot.removed_low
    assert spot.removed_elsewhere < 0.2 * spot.removed
    assert spot.removed_p < 0.01
    [sentence] = [each for each in result.sentences() if each.startswith(spot.name)]
    assert (
        f"{spot.name} raises spot (by removal: taken out where it is, clips with it lose {spot.removed:.2f} log-odds"
        in sentence
    )
    assert discovered_spot(in_place=False).confirmed == ()


def class_token() -> vt.VideoModel:
    torch.manual_seed(0)
    return vt.load_model(Tokens(order=("height", "width", "time")), frames=8, size=(16, 24))


def frame_wise() -> vt.VideoModel:
    torch.manual_seed(0)
    return vt.load_model(FrameWise(), frames=8, size=(16, 24))


def channels_last() -> vt.VideoModel:
    torch.manual_seed(0)
    return vt.load_model(ChannelsLast(), frames=8, size=(16, 24))


def rendered(name: str) -> Callable[[], vt.VideoModel]:
    return lambda: vt.load_model(f"rendered:{name}")


CLIPS = {
    f"{side} {number}": factors
    for side, count, seed in (("class", 14, 1), ("any", 20, 2))
    for number, factors in enumerate(sample_factors(count, seed=seed))
}


def recorded_layer(work: Workspace, model: vt.VideoModel, layer: str) -> tuple[LayerDiscovery, BatchRunner]:
    frames = model.clip_spec.frames
    named = [(name, render(factors, frames=frames).clip) for name, factors in CLIPS.items()]
    question = DiscoveryQuestion(target=0, clips=named[:14], random=named[14:], layers=[layer], twins=())
    plan = plan_discovery(model, question, work.digest)
    grids = layer_grids(model, plan.layers)
    recorded, runner = record_clips(plan, model, grids, kept_beside_grids(grids, plan.layers), work)
    settings = TestSettings(permutations=99, random_sets=2, bootstraps=100, seed=3)
    return LayerDiscovery.of(recorded, layer, DiscoverySettings(components=3), settings), runner


@pytest.mark.parametrize(
    ("build", "layer"),
    [
        (rendered("r2plus1d-object"), "stages.0"),  # a grid that is coarser than the layer
        (rendered("r2plus1d-object"), "stages.1"),
        (rendered("transformer-object"), "blocks.1"),
        (class_token, "blocks.0"),
        (frame_wise, "image.0"),
        (channels_last, "blocks.1"),
    ],
)
def test_what_is_lost_is_what_a_hook_that_subtracts_takes_position_by_position(build, layer):
    model = build()
    with Workspace(RecordingSettings()) as work:
        discovery, runner = recorded_layer(work, model, layer)
        name = discovery.names[0]
        removal = layer_removals(discovery, [name], runner)[name]
        chosen = clips_with_most(discovery, name)
        maps = discovery.maps_of(0, chosen)
    grid, axes = discovery.components.grid, layer_axes(model, layer)
    direction = torch.from_numpy(discovery.components.scale * discovery.components.directions[0]).float()
    target = parse_target(model, 0, "log_odds")
    for index, number in enumerate(chosen[:3]):
        factors = CLIPS[discovery.clips.ids[number].source]
        inputs = model.prepare(render(factors, frames=model.clip_spec.frames).clip)[None]

        def without(_module, _inputs, output, index=index):
            edited = output.clone()
            positions = axes.positions(edited)  # a view into it
            for time, row, column in np.ndindex(*positions.shape[1:4]):
                cell = tuple(place // factor for place, factor in zip((time, row, column), grid.factors, strict=True))
                positions[0, time, row, column] -= float(maps[(index, *cell)]) * direction
            return edited

        with torch.no_grad():
            plain = float(target(model.logits(inputs)))
            handle = model.layer(layer).register_forward_hook(without)
            left = float(target(model.logits(inputs)))
            handle.remove()
        assert plain != left
        assert removal.lost[index] == pytest.approx(plain - left, abs=1e-3 * (1 + abs(plain)), rel=0.01)
    assert len(removal.lost) == len(chosen) <= MOST_CLIPS


def removal_of(lost, elsewhere, groups=None):
    lost = np.asarray(lost, dtype=float)
    return Removal(
        lost=lost,
        lost_elsewhere=np.broadcast_to(np.asarray(elsewhere, dtype=float), lost.shape),
        rounding=np.full(len(lost), 1e-3),
        groups=np.arange(len(lost)) if groups is None else np.asarray(groups),
        bootstraps=200,
        seed=0,
    )


def test_a_loss_must_be_more_than_elsewhere():
    generator = np.random.default_rng(0)
    lost = 2 + 0.5 * generator.standard_normal(16)
    assert removal_of(lost, 0.0).p_value < 1e-3
    assert removal_of(-lost, 0.0).p_value < 1e-3
    # before a mean over positions places do not matter, and rounding is no difference
    assert removal_of(lost, lost + 1e-4).p_value == 1
    # as much elsewhere loses more: it is not where it is that matters
    assert removal_of(lost, 2 * lost).p_value == 1
    assert removal_of(lost, lost + generator.standard_normal(16)).p_value > 0.05


@pytest.mark.parametrize("clips_a_group", [1, 4])
def test_the_error_rate_of_removals_that_do_nothing(clips_a_group):
    generator = np.random.default_rng(1)
    groups = np.repeat(np.arange(12), clips_a_group)
    alarms = 0
    for _ in range(300):
        of_group, elsewhere = generator.standard_normal((2, 12))
        noise = 0.3 * generator.standard_normal(len(groups))
        alarms += removal_of(of_group[groups] + noise, 0.1 * elsewhere[groups], groups).p_value <= 0.05
    assert alarms <= 23  # 5 % of 300 and two standard errors of it


def test_maps_are_moved_to_other_moments_rows_and_columns():
    maps = np.zeros((20, 2, 3, 1))
    maps[:, 0, 1, 0] = 5
    moved = moved_elsewhere(maps, np.random.default_rng(0))
    assert np.array_equal(moved.sum((1, 2, 3)), maps.sum((1, 2, 3)))
    assert (moved[:, 0] == 0).all() and (moved[:, :, 1] == 0).all()


def test_clips_of_other_groups_come_before_second_ones_of_a_group():
    with Workspace(RecordingSettings()) as work:
        discovery, _ = recorded_layer(work, vt.load_model("rendered:r2plus1d-object"), "stages.3")
        name = discovery.names[0]
        strong = discovery.strong[name]
        clips = strong.clips[strong.strong]
        ranked = sorted(clips.tolist(), key=lambda clip: -discovery.presences[clip, 0])
        assert clips_with_most(discovery, name).tolist() == ranked[:MOST_CLIPS]
        grouped = discovery.clips.groups.copy()
        grouped[ranked[:2]] = grouped[ranked[0]]
        discovery.clips.__dict__["groups"] = grouped
        assert clips_with_most(discovery, name).tolist() == [ranked[0], *ranked[2:], ranked[1]][:MOST_CLIPS]


def row(**fields):
    return component(1, confirmed=False, **{"effect_p": 1.0, "p_value": 1.0, "p_adjusted": 1.0, **fields})


def test_the_effect_is_shown_by_either_test_in_the_sign_of_presence():
    removal = {"removed": 3.0, "removed_p": 0.001}
    assert row(effect_p=0.02).moving_p == 0.02  # nothing was taken out: one test
    # of two tests each has its share of the level
    assert row(effect_p=0.02, **removal).moving_p == pytest.approx(0.01)
    assert row(effect_p=0.009, **removal).moving_p == pytest.approx(0.01)
    assert row(effect_p=0.0009, **removal).moving_p == pytest.approx(0.001)
    # against presence a test counts as 1
    assert row(effect_p=0.0001, effect=-2.0, **removal).moving_p == pytest.approx(0.01)
    assert row(effect_p=0.018, removed=-3.0, removed_p=1e-5).moving_p == pytest.approx(0.02)
    assert row(effect_p=1e-4, effect=-2.0, removed=-3.0, removed_p=1e-5).moving_p == 1.0
    less = {"presence_class": -1.0, "effect": -2.0, "removed": -3.0}
    assert row(**less, effect_p=0.03, removed_p=0.001).moving_p == pytest.approx(0.01)


def test_what_raises_comes_first_by_what_clips_lose_without_it():
    less = {"presence_class": -1.0}
    rows = [
        row(name="a", p_value=0.001, effect_p=0.001, effect=9.0, removed=1.0, removed_p=1.0),
        row(name="b", p_value=0.001, effect_p=0.5, effect=-1.0, removed=3.0, removed_p=0.0005),
        row(name="c", p_value=0.001, effect_p=0.9, effect=5.0, removed=-8.0, removed_p=0.0005, **less),
        row(name="d", p_value=0.9, effect_p=0.9, effect=20.0),
        row(name="e", p_value=0.001, effect_p=0.001, stability=0.2),
    ]
    ordered = judged(rows, 0.05)
    assert [each.name for each in ordered] == ["b", "a", "c", "d", "e"]
    assert [each.confirmed_by for each in ordered] == ["removal", "slope", "removal", "", ""]
    assert [each.raises for each in ordered[:3]] == [True, True, False]
    # against the sign of presence nothing is confirmed, at any level
    assert not judged([row(p_value=1.0, effect=-1.0, effect_p=1e-4)], 1.0)[0].confirmed
    assert replace(ordered[0], confirmed_by="").size == 3.0
