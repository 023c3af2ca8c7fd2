"""How much of a CAV is the same at all places and times: against the CAV laid out, and planted truths."""

from pathlib import Path

import numpy as np
import pytest
import torch

import video_tcav as vt
from tests.unit.tcav.test_diagnostics import compared
from video_tcav.concepts import as_sources
from video_tcav.models import LayerAxes
from video_tcav.recording.feature_spaces import Space
from video_tcav.recording.inner_products import gram
from video_tcav.recording.recorder import Recorder
from video_tcav.recording.recording import Recording
from video_tcav.recording.rows import RowStore, SpillSpace
from video_tcav.recording.settings import RecordingSettings
from video_tcav.tcav import diagnostics
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.diagnostics import Layout, PlaceAndTime, dependence_on_place_and_time, layouts_of

LAST = LayerAxes(dims=("clip", "time", "height", "width", "channel"))
FIRST = LayerAxes(dims=("clip", "channel", "time", "height", "width"))
TOKENS = LayerAxes(
    dims=("clip", "token", "channel"), token_order=("height", "width", "time"), grid=(2, 3, 4), prefix_tokens=1
)
FRAMES = LayerAxes(dims=("clip", "time", "channel", "height", "width"), fold=2)
NAMES = ("places", "time", "both")


def layout(outputs: torch.Tensor, axes: LayerAxes, folder: Path, *, budget: int = 10**9) -> Layout:
    """A layer that gave `outputs`, with rows as a run stores them."""
    storage = SpillSpace(budget, folder)
    rows = RowStore(storage)
    rows.append(axes.per_clip(outputs).flatten(1))
    return Layout(rows=rows, shape=(axes.fold, *outputs.shape[1:]), axes=axes, storage=storage)


def shares(one: Layout, comparisons: list[Comparison], *, cav="mean", seed: int = 0) -> list[PlaceAndTime]:
    grams = {"late": gram(one.rows, None, range(one.rows.rows))}
    return list(dependence_on_place_and_time(comparisons, grams, {"late": one}, cav=cav, seed=seed))


def by_name(found: list[PlaceAndTime]) -> dict[str, PlaceAndTime]:
    assert [one.over for one in found] == list(NAMES)
    return {one.over: one for one in found}


def slow_shares(cav: np.ndarray) -> list[float]:
    """Of a CAV as `(time, height, width, channel)`: average it, spread it out again, compare squared lengths."""
    return [
        float(np.square(np.broadcast_to(cav.mean(axes, keepdims=True), cav.shape)).sum() / np.square(cav).sum())
        for axes in ((1, 2), (0,), (0, 1, 2))
    ]


def racket(clips: int = 30) -> Comparison:
    return compared("racket", range(clips // 3), range(clips // 3, clips), clips)


def noise(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=shape))


@pytest.mark.parametrize(
    ("axes", "shape"),
    [(LAST, (30, 2, 3, 4, 5)), (FIRST, (30, 5, 2, 3, 4)), (TOKENS, (30, 25, 5)), (FRAMES, (60, 5, 3, 4))],
    ids=["channels last", "channels first", "tokens", "frames"],
)
def test_shares_are_those_of_the_cav_laid_out(axes, shape, tmp_path):
    outputs = noise(*shape)
    found = shares(layout(outputs, axes, tmp_path), [racket()])
    positions = axes.positions(outputs).numpy()
    assert positions.shape == (30, 2, 3, 4, 5)
    assert [one.share for one in found] == pytest.approx(slow_shares(positions[:10].mean(0) - positions[10:].mean(0)))
    labels = np.concatenate(list(racket().design.label_permutations(100, 0)))
    permuted = np.array([slow_shares(positions[one].mean(0) - positions[~one].mean(0)) for one in labels])
    assert [one.reference for one in found] == pytest.approx(permuted.mean(0))
    assert [one.reference_high for one in found] == pytest.approx(np.quantile(permuted, 0.975, axis=0))
    assert [one.ratio for one in found] == pytest.approx([one.share / one.reference for one in found])


def test_a_cav_that_is_the_same_everywhere_and_always_keeps_all_of_its_length(tmp_path):
    outputs = noise(30, 1, 1, 1, 5).expand(30, 4, 3, 3, 5)
    assert [one.share for one in shares(layout(outputs, LAST, tmp_path), [racket()])] == pytest.approx([1, 1, 1])


def test_a_cav_that_changes_with_time_alone_keeps_all_of_its_length_over_places(tmp_path):
    found = by_name(shares(layout(noise(30, 4, 1, 1, 5).expand(30, 4, 3, 3, 5), LAST, tmp_path), [racket()]))
    assert found["places"].share == pytest.approx(1)
    assert found["time"].share < 0.9
    assert found["both"].share == pytest.approx(found["time"].share)


@pytest.mark.parametrize("cav", ["mean", "ridge", "logistic", "svm"])
def test_a_concept_at_one_place_keeps_little_and_less_than_noise(cav, tmp_path):
    """It is always there, so that time is no matter."""
    outputs = noise(60, 4, 3, 3, 5) * 0.3 + noise(60, 4, 1, 1, 5)  # what neighbouring places have in common
    outputs[:20, :, 1, 2, 0] += 8
    found = by_name(shares(layout(outputs, LAST, tmp_path), [racket(60)], cav=cav))
    assert found["places"].share < 0.25
    assert found["places"].ratio < 0.5
    assert found["time"].share > 0.9
    assert found["time"].ratio > 2


def test_a_concept_that_is_everywhere_keeps_more_than_noise(tmp_path):
    outputs = noise(60, 4, 3, 3, 5)
    outputs[:20, ..., 0] += 1
    found = shares(layout(outputs, LAST, tmp_path), [racket(60)])
    assert all(one.share > 0.65 and one.share > one.reference_high and one.ratio > 2 for one in found)


def test_class_tokens_do_not_count(tmp_path):
    outputs = noise(30, 25, 5)
    changed = outputs.clone()
    changed[:, 0] = torch.from_numpy(np.random.default_rng(1).normal(size=(30, 5)))
    one, other = (shares(layout(each, TOKENS, tmp_path), [racket()]) for each in (outputs, changed))
    assert [row.share for row in one] == pytest.approx([row.share for row in other])


def test_rows_on_disk_give_the_same_as_rows_in_memory(tmp_path):
    outputs = noise(30, 2, 3, 4, 5)
    on_disk = layout(outputs, LAST, tmp_path, budget=0)
    assert on_disk.rows.spilled
    in_memory = shares(layout(outputs, LAST, tmp_path), [racket()])
    assert shares(on_disk, [racket()]) == in_memory


def test_rows_of_other_comparisons_and_twins_change_nothing(tmp_path):
    outputs = noise(40, 2, 3, 4, 5)
    alone = shares(layout(outputs[:30], LAST, tmp_path), [racket()])
    other = compared("court", range(30, 38), range(10, 30), 40)
    both = shares(layout(outputs, LAST, tmp_path), [racket(), other])
    assert [one.share for one in both[:3]] == pytest.approx([one.share for one in alone])


def test_a_cav_without_direction_has_no_share(tmp_path):
    found = shares(layout(torch.ones(30, 2, 3, 4, 5, dtype=torch.float64), LAST, tmp_path), [racket()])
    assert all(np.isnan(one.share) and np.isnan(one.ratio) for one in found)


def recorded(model: vt.VideoModel, clips: Path, folder: Path, space: Space) -> Recording:
    layers = ("stages.0", "stages.2", "head") if space == "flatten" else ("stages.0", "stages.2")
    recorder = Recorder(model, layers, RecordingSettings(space=space), SpillSpace(10**9, folder))
    recorder.record_concepts(as_sources([clips / "green", clips / "random"]), ("none",), lambda _steps: None)
    return recorder.recording()


@pytest.fixture(scope="module")
def model(shapes, shapes_weights) -> vt.VideoModel:
    return vt.load_model(f"file:{shapes.__file__}:build", weights=shapes_weights, device="cpu")


def test_layers_of_a_run_that_have_positions_are_laid_out(model, shapes_clips, tmp_path):
    """A colour of the background is everywhere and always."""
    layouts = layouts_of(recorded(model, shapes_clips, tmp_path, "flatten"))
    assert list(layouts) == ["stages.0", "stages.2"]
    comparison = compared("green", range(10), range(10, 30), 30)
    grams = {layer: gram(one.rows, None, range(30)) for layer, one in layouts.items()}
    found = dependence_on_place_and_time([comparison], grams, layouts, cav="mean", seed=0)
    assert len(found) == 6
    assert found[0].ratio > 2
    assert all(0 <= one.share <= 1 for one in found)


def test_a_feature_space_without_positions_has_no_layouts(model, shapes_clips, tmp_path):
    assert layouts_of(recorded(model, shapes_clips, tmp_path, "spacetime")) == {}


def test_the_same_seed_gives_the_same_shares(tmp_path):
    outputs = noise(30, 2, 3, 4, 5)
    first, again, other = (shares(layout(outputs, LAST, tmp_path), [racket()], seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_diagnose_has_a_table_of_places_where_layouts_are_given(tmp_path):
    one = layout(noise(30, 2, 3, 4, 5), LAST, tmp_path)
    grams = {"late": gram(one.rows, one.rows, range(30), range(5))}
    found = diagnostics.diagnose(
        [racket()], grams, class_groups=range(5), cav="mean", seed=0, layouts={"late": one}
    ).to_frames()
    assert found["place_and_time"].over.tolist() == list(NAMES)
