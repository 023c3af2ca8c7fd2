from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.attribution.planted import (
    BOX,
    SHAPE,
    box_mask,
    box_model,
    bright_blocks,
    brightest_block_model,
    noise,
    small_model,
)
from video_tcav.attribution.metrics import elsewhere, energy_inside, lift, maps_of_other_clips, pointing
from video_tcav.attribution.metrics.faithfulness import area_under, faithfulness
from video_tcav.attribution.metrics.localisation import dilated
from video_tcav.attribution.perturbation import baseline_clips
from video_tcav.core.errors import ClassNotFoundError, InputError, ShapeError


def slow_curve(model, clip, instead, found, label, steps, *, insert):
    """The definition, a voxel at a time: sort, replace so many, ask the model."""
    voxels = [(t, h, w) for t in range(SHAPE[0]) for h in range(SHAPE[1]) for w in range(SHAPE[2])]
    ranked = sorted(voxels, key=lambda place: -float(found[place]))
    curve = []
    for step in range(steps + 1):
        shown = (instead if insert else clip).clone()
        for t, h, w in ranked[: round(step * len(ranked) / steps)]:
            shown[:, t, h, w] = (clip if insert else instead)[:, t, h, w]
        curve.append(float(model.logits(shown[None]).softmax(1)[0, label]))
    return curve


def slow_area(curve):
    return sum((left + right) / 2 for left, right in pairwise(curve)) / (len(curve) - 1)


def random_maps(clips, seed):
    return torch.randn(clips, *SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def truth(clips=2):
    """Highest in the box, and the more so the nearer to the first frame and corner."""
    return box_mask(clips) * (1 + torch.arange(1152.0).flip(0).reshape(SHAPE) / 1152)


@torch.no_grad()
def test_curves_are_what_the_paper_defines():
    model, clips, found = small_model(), noise(2, 1), random_maps(2, 2)
    result = faithfulness(model, clips, found, ["b", 2], baseline="black", steps=4, draws=2, seed=5)
    instead = baseline_clips(model, clips, "black")
    for check, insert in (("deletion", False), ("insertion", True)):
        moved = [elsewhere(found, seed=5, draw=draw) for draw in range(2)]
        for row, label in enumerate((1, 2)):
            own, *others = (
                slow_curve(model, clips[row], instead[row], one[row], label, 4, insert=insert)
                for one in (found, *moved)
            )
            assert result.curves[check][row].tolist() == pytest.approx(own, rel=1e-9)
            average = [sum(values) / 2 for values in zip(*others, strict=True)]
            assert result.curves[f"{check}_elsewhere"][row].tolist() == pytest.approx(average, rel=1e-9)
            assert float(getattr(result, check)[row]) == pytest.approx(slow_area(own), rel=1e-9)


@pytest.mark.parametrize("layout", ["channels_first", "time_first"])
def test_a_perfect_map_beats_itself_elsewhere_and_an_inverted_one_loses(layout):
    model, clips = box_model(layout), noise(2, 3, low=0.8)
    clips = clips if layout == "channels_first" else clips.transpose(1, 2)
    perfect = faithfulness(model, clips, truth(), "bright", baseline="black", draws=4)
    assert (perfect.deletion < 0.2).all() and (perfect.deletion_gain > 0.3).all()
    assert (perfect.insertion > 0.8).all() and (perfect.insertion_gain > 0.3).all()
    inverted = faithfulness(model, clips, -truth(), "bright", baseline="black", draws=4)
    assert (inverted.deletion_gain < -0.05).all()
    assert (inverted.insertion_gain < -0.05).all()


# Far from each other in the picture, so that the map of one clip misses the cause of every other.
CORNERS = [(0, 0, 0), (4, 8, 8), (0, 0, 8), (4, 8, 0)]
MIDDLE = [(2, 4, 4)] * 4


def centre_map(clips):
    """Highest in the middle of the picture, in every frame."""
    rows, columns = ((torch.arange(size) - (size - 1) / 2).abs() for size in SHAPE[1:])
    return (-(rows[:, None] + columns)).expand(clips, SHAPE[0], -1, -1)


def against_other_clips(clips, maps):
    return faithfulness(
        brightest_block_model(), clips, maps, "bright", baseline="black", other_clips=maps_of_other_clips(maps, draws=2)
    )


def test_a_map_that_is_right_beats_itself_elsewhere_and_the_maps_of_other_clips():
    clips, masks = bright_blocks(CORNERS)
    right = against_other_clips(clips, masks.double())
    assert (right.deletion_gain > 0.2).all() and (right.deletion_gain_other_clips > 0.2).all()
    assert (right.insertion_gain > 0.2).all() and (right.insertion_gain_other_clips > 0.2).all()
    # The right maps of the wrong clips: that of another clip takes their place.
    wrong = against_other_clips(clips, masks.double().roll(-1, 0))
    assert (wrong.deletion_gain_other_clips < 0).all()


def test_the_centre_beats_itself_elsewhere_where_causes_lie_in_the_middle_but_no_map_of_another_clip():
    clips, _ = bright_blocks(MIDDLE)
    centre = against_other_clips(clips, centre_map(4))
    assert (centre.deletion_gain > 0.1).all()
    assert (centre.deletion_gain_other_clips == 0).all() and (centre.insertion_gain_other_clips == 0).all()


def test_the_centre_does_not_beat_itself_elsewhere_where_causes_lie_in_the_corners():
    clips, _ = bright_blocks(CORNERS)
    centre = against_other_clips(clips, centre_map(4))
    assert (centre.deletion_gain < 0).all() and (centre.deletion_gain_other_clips == 0).all()


def test_maps_of_other_clips_are_those_of_the_batch_and_no_clip_meets_its_own():
    found = torch.arange(3.0)[:, None, None, None].expand(3, *SHAPE)
    others = maps_of_other_clips(found, draws=5)
    assert [other[:, 0, 0, 0].tolist() for other in others] == [[2, 0, 1], [1, 2, 0]]
    assert maps_of_other_clips(found[:1]) == []


@torch.no_grad()
def test_curves_of_other_clips_are_the_average_over_them():
    model, clips, found = small_model(), noise(2, 1), random_maps(2, 2)
    others = [random_maps(2, 3), random_maps(2, 4)]
    result = faithfulness(model, clips, found, 1, baseline="black", steps=4, draws=1, other_clips=others)
    instead = baseline_clips(model, clips, "black")
    for row in range(2):
        curves = [slow_curve(model, clips[row], instead[row], other[row], 1, 4, insert=False) for other in others]
        average = [sum(values) / 2 for values in zip(*curves, strict=True)]
        assert result.curves["deletion_other_clips"][row].tolist() == pytest.approx(average, rel=1e-9)
    columns = list(result.to_frame().columns)
    assert columns[:5] == [
        "deletion",
        "deletion_elsewhere",
        "deletion_gain",
        "deletion_other_clips",
        "deletion_gain_other_clips",
    ]
    alone = faithfulness(model, clips, found, 1, baseline="black", steps=4, draws=1)
    assert alone.deletion_other_clips.isnan().all() and torch.equal(alone.deletion, result.deletion)


def test_one_step_has_its_two_ends_alone():
    model, clips = box_model(), noise(1, 4, low=0.6)
    curve = faithfulness(model, clips, truth(1), 0, baseline="black", steps=1, draws=1).curves["deletion"]
    assert curve.shape == (1, 2) and curve[0, 0] > curve[0, 1]


def test_the_curve_starts_with_the_clip_and_ends_with_what_is_shown_instead():
    model, clips = box_model(), noise(1, 4, low=0.6)
    found = faithfulness(model, clips, truth(1), 0, baseline="black", draws=1).curves
    whole, nothing = (float(model.logits(one).softmax(1)[0, 0]) for one in (clips, torch.zeros_like(clips)))
    for name, ends in (("deletion", (whole, nothing)), ("insertion_elsewhere", (nothing, whole))):
        assert found[name][0, [0, -1]].tolist() == pytest.approx(ends)


def test_only_the_order_of_a_map_counts():
    model, clips, found = small_model(), noise(1, 5), random_maps(1, 6)
    one, other = (faithfulness(model, clips, each, 0, steps=3, draws=1) for each in (found, (3 * found).exp() - 7))
    for name, curve in one.curves.items():
        assert torch.equal(curve, other.curves[name])


def test_one_check_alone_is_the_same_and_has_its_own_table():
    model, clips, found = small_model(), noise(2, 7), random_maps(2, 8)
    both = faithfulness(model, clips, found, 1, steps=3, draws=1).to_frame()
    alone = faithfulness(model, clips, found, 1, steps=3, draws=1, checks=("deletion",)).to_frame()
    assert list(alone.columns) == ["deletion", "deletion_elsewhere", "deletion_gain"]
    assert len(both) == 2 and both[alone.columns].equals(alone)
    assert (both["insertion_gain"] == both["insertion"] - both["insertion_elsewhere"]).all()


def test_the_model_stays_as_it_was():
    model = small_model()
    model.module.train()
    before, digest = torch.random.get_rng_state(), model.weights_digest
    faithfulness(model, noise(1, 9), random_maps(1, 9), 0, steps=2, draws=1)
    assert model.module.training and all(one.requires_grad for one in model.module.parameters())
    assert small_model().weights_digest == digest and torch.equal(torch.random.get_rng_state(), before)


def test_the_area_under_a_straight_line_is_its_middle():
    assert float(area_under(torch.tensor([[1.0, 0.75, 0.5, 0.25, 0.0]]))) == pytest.approx(0.5)


@given(st.integers(0, 99), st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_elsewhere_is_the_same_map_a_quarter_away(seed, draw):
    found = torch.arange(2 * 1152.0).reshape(2, *SHAPE)
    moved = elsewhere(found, seed=seed, draw=draw)
    for one, other in zip(found, moved, strict=True):
        assert torch.equal(one.flatten().sort().values, other.flatten().sort().values)
        there = (other == one[0, 0, 0]).nonzero()[0].tolist()
        assert all(size // 4 <= step <= size - size // 4 for step, size in zip(there, SHAPE, strict=True))
        assert torch.equal(one.roll(tuple(there), (0, 1, 2)), other)


def test_maps_elsewhere_differ_by_draw_and_clip_and_a_single_frame_stays_in_time():
    found = truth()
    moved = [elsewhere(found, seed=0, draw=draw) for draw in range(2)]
    assert not torch.equal(moved[0], moved[1]) and not torch.equal(moved[0][0], moved[0][1])
    assert torch.equal(moved[0], elsewhere(found, seed=0))
    single = elsewhere(torch.rand(1, 1, 1, 4), seed=1)
    assert single.shape == (1, 1, 1, 4)


def test_energy_inside_counts_what_is_positive():
    mask = box_mask(3)
    found = torch.stack([truth(1)[0], torch.ones(SHAPE), -torch.ones(SHAPE)])
    energy = energy_inside(found, mask)
    assert energy[:2].tolist() == pytest.approx([1, 144 / 1152]) and energy[2].isnan()
    assert lift(found, mask)[:2].tolist() == pytest.approx([8, 1])
    signed = found[:1] - 5 * (~mask[:1])
    assert float(energy_inside(signed, mask[:1])) == pytest.approx(1)
    assert float(energy_inside(-signed, mask[:1])) == 0
    assert lift(found[:1], torch.zeros_like(mask[:1])).isnan()


def test_pointing_looks_at_the_largest_value_and_what_is_near_it_in_its_frame():
    mask = box_mask()
    found = torch.zeros(1, *SHAPE)
    frames, rows, columns = BOX
    found[0, frames.start, rows.stop + 1, columns.start] = 1  # two rows below the box
    assert [float(pointing(found, mask, px)) for px in (0, 1, 2)] == [0, 0, 1]
    found[0, frames.start, rows.start, columns.start] = 1  # as large, inside
    assert float(pointing(found, mask)) == 0.5
    outside = torch.zeros(1, *SHAPE)
    outside[0, frames.stop, rows.start, columns.start] = 1  # one frame later
    assert float(pointing(outside, mask, 5)) == 0


def test_a_mask_grows_to_each_side_and_diagonally():
    mask = torch.zeros(1, 3, 7, 7, dtype=torch.bool)
    mask[0, 1, 3, 3] = True
    grown = dilated(mask, 2)
    assert int(grown.sum()) == 25 and bool(grown[0, 1, 1:6, 1:6].all())
    assert torch.equal(dilated(mask, 0), mask)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"steps": 0}, InputError, "`steps` must be at least 1. Got 0"),
        ({"draws": 0}, InputError, "`draws` must be at least 1. Got 0"),
        ({"target": ["a"]}, InputError, r"`target` must be one class, or one for each clip. Got 1 for 2 clips"),
        ({"target": "z"}, ClassNotFoundError, "`target` must be one of the model's 3 classes"),
        ({"maps": torch.zeros(2, 4, 3, 3)}, ShapeError, r"must lie on the clips' own grid, \(2, 8, 12, 12\)"),
        ({"maps": torch.full((2, *SHAPE), torch.nan)}, InputError, "`maps` must be finite. Got NaN"),
        ({"other_clips": [torch.zeros(1, *SHAPE)]}, ShapeError, r"must lie on the clips' own grid, \(2, 8, 12, 12\)"),
        ({"baseline": "pink"}, InputError, "`baseline` must be one of"),
    ],
)
def test_what_cannot_be_measured_is_refused(changes, error, message):
    settings = {"maps": random_maps(2, 0), "target": 0, "steps": 2, "draws": 1} | changes
    with pytest.raises(error, match=message):
        faithfulness(small_model(), noise(2, 0), settings.pop("maps"), settings.pop("target"), **settings)


def test_masks_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match=r"`mask` must have the shape of the maps, \(2, 8, 12, 12\)"):
        energy_inside(random_maps(2, 0), box_mask(1))
