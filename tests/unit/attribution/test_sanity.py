from dataclasses import replace

import pytest
import torch
from scipy import stats
from torch import nn

from tests.unit.attribution.planted import SHAPE, blobs, box_model, described, noise, small_model
from video_tcav.attribution import GradCAM, InputXGradient
from video_tcav.attribution.method import LayerMaps, Method
from video_tcav.attribution.metrics import (
    Explained,
    Randomisation,
    cascade,
    cascaded,
    explain_each,
    order_similarity,
    randomisation,
    randomised,
    rank_similarity,
    shift_stability,
)
from video_tcav.core.errors import InputError

CLIPS = 8
TARGETS = [0, 1, 2, 0, 1, 2, 0, 1]


def edges(model, clips, targets):
    """Where neighbouring pixels differ: knows nothing of any model."""
    grey = clips.mean(1)
    across, down = grey.diff(dim=-1, prepend=grey[..., :1]), grey.diff(dim=-2, prepend=grey[..., :1, :])
    return across.abs() + down.abs()


def brightness(model, clips, targets):
    return clips.mean(1)


def middle(model, clips, targets):
    """The same for every clip and model: the nearer to the middle, the larger."""
    axes = torch.meshgrid(*(torch.linspace(-1, 1, size) for size in SHAPE), indexing="ij")
    return -sum(axis**2 for axis in axes).expand(len(clips), *SHAPE).double()


def late(model, clips, targets):
    """The later, the larger, whatever is shown."""
    return torch.arange(SHAPE[0] * 1.0)[:, None, None].expand(len(clips), *SHAPE)


def method_of(method):
    return lambda model, clips, targets: explain_each(method, model, clips, targets)


def explained(explain, model, clips, targets):
    return Explained(explain=explain, model=model, clips=clips, targets=targets)


def weights(model):
    return {name: one.clone() for name, one in model.module.state_dict().items()}


def test_a_copy_with_random_weights_leaves_no_trace():
    model = small_model()
    before, digest = torch.random.get_rng_state(), model.weights_digest
    first, again, other = (randomised(model, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert small_model().weights_digest == digest == model.weights_digest
    assert first.weights_digest == again.weights_digest != other.weights_digest
    assert not first.trained and not first.module.training and model.trained


def test_all_weights_are_new_and_those_that_no_module_draws_are_mixed():
    model = small_model()
    old, new = weights(model), weights(randomised(model, seed=3))
    unchanged = {name for name in old if torch.equal(old[name], new[name])}
    assert unchanged == {"stages.0.1.num_batches_tracked"}
    assert torch.equal(old["place"].flatten().sort().values, new["place"].flatten().sort().values)
    assert torch.equal(new["stages.0.1.weight"], torch.ones(6))


def test_norms_take_their_statistics_from_clips():
    model, clips = small_model(), noise(4, 0)
    found = randomised(model, seed=3, clips=clips)
    network = found.module
    with torch.no_grad():
        seen = network.stages[0][0](network.stem(clips + 0.1 * network.place))
    norm = network.stages[0][1]
    torch.testing.assert_close(norm.running_mean, seen.mean((0, 2, 3, 4)))
    torch.testing.assert_close(norm.running_var, seen.var((0, 2, 3, 4)))
    assert norm.momentum == 0.1 and not norm.training


def test_a_cascade_forgets_from_the_head_down():
    model = small_model()
    old, seen = weights(model), {part: weights(copy) for part, copy in cascaded(model, seed=4)}
    assert list(seen) == ["head", "stages.1", "stages.0"]
    everything = weights(randomised(model, seed=4))
    new = {
        "head": {"head.weight"},
        "stages.1": {"head.weight", "stages.1.0.weight"},
        "stages.0": {"head.weight", "stages.1.0.weight", "stages.0.0.weight", "stem.weight", "place"},
    }
    for part, state in seen.items():
        for name in new["stages.0"]:
            expected = everything if name in new[part] else old
            assert torch.equal(state[name], expected[name]), (part, name)


def test_rank_similarity_is_spearman_over_all_voxels():
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randint(0, 9, (3, *SHAPE), generator=generator).float() for _ in range(2))
    other[0] = one[0] ** 3
    other[1] = -one[1]
    found = rank_similarity(one, other)
    slow = [stats.spearmanr(a.flatten(), b.flatten()).statistic for a, b in zip(one, other, strict=True)]
    assert found.tolist() == pytest.approx(slow, abs=1e-9)
    assert found[:2].tolist() == pytest.approx([1, -1])


def test_what_is_constant_or_empty_has_no_ranks():
    maps = torch.stack([torch.ones(SHAPE), torch.full(SHAPE, torch.nan), torch.rand(SHAPE)])
    assert rank_similarity(maps, maps).isnan().tolist() == [True, True, False]


def test_chance_is_the_copy_of_one_clip_beside_the_maps_of_the_others():
    model, clips = small_model(), blobs(3, 1)
    found = randomisation(explained(method_of(InputXGradient()), model, clips, [0, 1, 2]), seed=2)
    assert found.similarity.shape == found.chance.shape == (3,)
    copied = randomisation(explained(brightness, model, clips, [0, 1, 2]))
    maps = clips.mean(1)
    slow = [[float(rank_similarity(maps[i : i + 1], maps[j : j + 1])) for j in range(3) if j != i] for i in range(3)]
    assert copied.similarity.tolist() == pytest.approx([1, 1, 1])
    assert copied.chance.tolist() == pytest.approx([sum(row) / 2 for row in slow])


@pytest.mark.parametrize(
    ("explain", "fails"),
    [
        (edges, True),
        (brightness, True),
        (middle, True),  # a map that is the same for all clips tells of nothing
        (method_of(InputXGradient()), False),
        (method_of(GradCAM(layers=("stages.1",))), False),
    ],
)
def test_what_would_be_there_without_the_model_fails(explain, fails):
    found = randomisation(explained(explain, small_model(), blobs(CLIPS, 5), TARGETS), seed=1)
    assert found.fails is fails


def test_a_model_without_weights_cannot_forget():
    found = randomisation(explained(method_of(InputXGradient()), box_model(), blobs(CLIPS, 6), [0] * CLIPS))
    assert found.similarity.tolist() == pytest.approx([1] * CLIPS) and found.fails


def test_a_method_fails_where_the_interval_of_the_excess_is_above_the_margin():
    similarity = torch.tensor([0.3, 0.4, 0.5, torch.nan], dtype=torch.float64)
    chance = torch.tensor([0.1, 0.15, 0.2, 0.2], dtype=torch.float64)
    found = Randomisation(similarity=similarity, chance=chance)
    interval = stats.ttest_1samp([0.2, 0.25, 0.3], 0).confidence_interval(0.95)
    assert found.excess == pytest.approx(0.25)
    assert found.excess_low == pytest.approx(interval.low)
    assert found.fails
    assert not Randomisation(similarity=chance + 0.04, chance=chance).fails
    single = Randomisation(similarity=similarity[:1], chance=similarity[:1] * torch.nan)
    assert not single.fails and single.excess_low != single.excess_low


def test_a_cascade_ends_where_all_is_random():
    model, clips = small_model(), blobs(2, 7)
    found = cascade(explained(method_of(InputXGradient()), model, clips, [0, 1]), seed=3)
    assert list(found) == ["head", "stages.1", "stages.0"]
    copy = randomised(model, seed=3, clips=clips)
    maps = [explain_each(InputXGradient(), one, clips, [0, 1]) for one in (model, copy)]
    torch.testing.assert_close(found["stages.0"], rank_similarity(*maps))
    assert torch.equal(
        cascade(explained(edges, model, clips, [0, 1]))["head"].round(decimals=9), torch.ones(2).double()
    )


@pytest.mark.parametrize("twin", ["reversed", "shuffled"])
def test_a_map_that_goes_with_its_frames_does_not_notice_their_order(twin):
    model, clips = small_model(), noise(2, 8)
    assert order_similarity(explained(brightness, model, clips, [0, 0]), twin=twin, seed=3).tolist() == pytest.approx(
        [1, 1]
    )


def test_a_map_that_goes_by_the_clock_notices_the_order():
    model, clips = small_model(), noise(2, 9)
    assert order_similarity(explained(late, model, clips, [0, 0])).tolist() == pytest.approx([-1, -1])
    assert order_similarity(explained(late, model, clips, [0, 0]), twin="frozen").tolist() == pytest.approx([1, 1])
    assert (order_similarity(explained(brightness, model, clips, [0, 0]), twin="frozen") < 0.5).all()


def test_a_map_of_what_is_shown_moves_along_and_one_of_the_middle_stays():
    model, clips = small_model(), noise(2, 10)
    moving = shift_stability(explained(brightness, model, clips, [0, 0]), shift_px=3)
    assert moving.tolist() == pytest.approx([1, 1])
    assert (shift_stability(explained(middle, model, clips, [0, 0]), shift_px=3) < 0.9).all()
    with pytest.raises(
        InputError, match="`shift_px` must be at least 1 and less than the picture has. Got 12 of 12x12"
    ):
        shift_stability(explained(brightness, model, clips, [0, 0]), shift_px=12)


class Picky(Method):
    """Finds nothing in dark clips; its map is the clip's brightness, times the class."""

    name = "picky"

    def attribute(self, model, clips, target, advance):
        found = clips.mean(1) * (target.class_index + 1)
        dark = clips.flatten(1).mean(1) < 0.5
        return LayerMaps(
            layers={"input": torch.where(dark[:, None, None, None], 0.0, found)}, target=torch.zeros(len(clips))
        )


def test_each_clip_is_explained_for_its_own_class_and_an_empty_one_costs_no_other():
    clips = torch.cat([noise(1, 1, low=0.6), noise(1, 2, high=0.3), noise(2, 3, low=0.6)])
    found = explain_each(Picky(), small_model(), clips, [2, 0, 0, 2])
    assert found.isnan().flatten(1).all(1).tolist() == [False, True, False, False]
    for row, factor in ((0, 3), (2, 1), (3, 3)):
        torch.testing.assert_close(found[row], clips[row].mean(0) * factor)


def test_what_lies_before_the_first_stage_is_forgotten_with_it():
    class Three(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(2, 2)
            self.second = nn.Linear(2, 2)
            self.third = nn.Linear(2, 2)

    model = described(Three(), ("a", "b"), layers=("second",))
    changed = [
        {name for name, value in weights(copy).items() if not torch.equal(value, weights(model)[name])}
        for _, copy in cascaded(model, seed=0)
    ]
    assert changed[0] == {"third.weight", "third.bias"}
    assert len(changed[1]) == 6


def test_maps_that_are_known_are_not_made_again():
    asked = []

    def explain(model, clips, targets):
        asked.append((len(clips), list(targets)))
        return clips.mean(1)

    clips = noise(3, 11)
    found = explained(explain, small_model(), clips, [0, 1, 2])
    assert torch.equal(found.maps, found.maps) and asked == [(3, [0, 1, 2])]
    order_similarity(replace(found, precomputed=found.maps))
    assert asked == [(3, [0, 1, 2])] * 2  # the twins alone
    assert [one.targets for one in found.each()] == [[0], [1], [2]]
