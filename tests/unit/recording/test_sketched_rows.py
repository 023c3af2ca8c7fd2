"""Sketched rows: exact where that is claimed, within the stated error elsewhere, and linear in the clips."""

import numpy as np
import pytest
import torch

import video_tcav as vt
from tests.unit.tcav.test_run import RUN, run
from video_tcav.core.errors import InputError, ShapeError
from video_tcav.gram.cavs.registry import CAV_FITTERS
from video_tcav.gram.concept_test import TestSettings
from video_tcav.gram.design import Design
from video_tcav.gram.effects import clip_effects, fit_cavs
from video_tcav.gram.kernel import FactoredKernel, kernel_of, kernel_scale, unit_coefficients
from video_tcav.recording.inner_products import gram
from video_tcav.recording.rows import FileRow, RowStore, SpillSpace
from video_tcav.recording.sketched_rows import Sketch, SketchedRows
from video_tcav.tcav.cav_key import CavKey
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.measure import measure

CLIPS, CLASS, WIDTH = 60, 7, 5000


@pytest.fixture(scope="module")
def rows() -> torch.Tensor:
    """Activations far from the origin, as behind a ReLU, of rank well below their number."""
    generator = torch.Generator().manual_seed(1)
    mixed = torch.randn(CLIPS, 8, generator=generator) @ torch.randn(8, WIDTH, generator=generator)
    return mixed + 0.3 * torch.randn(CLIPS, WIDTH, generator=generator) + 20


@pytest.fixture(scope="module")
def gradients() -> torch.Tensor:
    return torch.randn(CLASS, WIDTH, generator=torch.Generator().manual_seed(2))


def stored(values: torch.Tensor, folder) -> RowStore:
    store = RowStore(SpillSpace(10**9, folder))
    store.append(values)
    return store


def sketched(rows, gradients, folder, size: int, *, seed: int = 0, **options) -> SketchedRows:
    found = SketchedRows(stored(gradients, folder), size, [seed], **options)
    found.append(rows)
    return found


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.random.default_rng(3).permuted(np.tile(np.arange(CLIPS) < 20, (6, 1)), axis=1)


def test_products_with_gradients_are_those_of_whole_rows(rows, gradients, tmp_path):
    ours = sketched(rows, gradients, tmp_path, 128).gram()
    exact = gram(stored(rows, tmp_path), stored(gradients, tmp_path), range(CLIPS), range(CLASS))
    scale = np.abs(exact.cross).max()
    np.testing.assert_allclose(ours.cross, exact.cross, atol=2e-6 * scale)
    slow = gradients.double() @ (rows.double() - rows.double().mean(0)).T
    np.testing.assert_allclose(ours.cross, slow.numpy(), atol=2e-6 * scale)


def test_inner_products_are_right_on_average_and_within_the_stated_spread(rows):
    """The bound `sqrt((|x|²|y|² + (x·y)²) / size)` holds for each pair, over many sketches."""
    size, draws = 100, 400
    some = (rows - rows.mean(0))[:10].double()
    exact = some @ some.T
    lengths = exact.diagonal()
    bound = ((lengths[:, None] * lengths + exact**2) / size).sqrt()
    found = torch.stack([(z := Sketch(WIDTH, size, [seed])(some.float()).double()) @ z.T for seed in range(draws)])
    spread = (found - exact).square().mean(0).sqrt()
    assert float((spread / bound).max()) < 1.15  # of 400 draws
    assert float((spread / bound).mean()) > 0.8  # and the bound is not idle
    assert float(((found.mean(0) - exact).abs() / bound).max()) < 4 / draws**0.5


def test_a_sketch_as_wide_as_the_rows_loses_nothing(rows, gradients, tmp_path):
    for size in (WIDTH, WIDTH + 17):
        ours = sketched(rows, gradients, tmp_path, size)
        exact = gram(stored(rows, tmp_path), None, range(CLIPS)).kernel
        np.testing.assert_allclose(ours.gram().kernel.factor @ ours.gram().kernel.factor.T, exact, rtol=1e-3, atol=0.5)
        assert ours.error().rms < 1e-5


def test_the_sample_tells_the_error_of_all_pairs(rows, gradients, tmp_path):
    ours = sketched(rows, gradients, tmp_path, 256)
    kernel = ours.gram().kernel.factor.astype(float) @ ours.gram().kernel.factor.astype(float).T
    exact = gram(stored(rows, tmp_path), None, range(CLIPS)).kernel
    lengths = np.sqrt(np.diag(exact))
    true = np.sqrt((((kernel - exact) / np.outer(lengths, lengths)) ** 2).mean())
    error = ours.error()
    assert error.rows == 32
    assert error.bound == pytest.approx(np.sqrt(2 / 256))
    assert error.rms == pytest.approx(true, rel=0.4)
    assert 0 < error.rms < error.bound


def test_the_sample_is_drawn_from_all_rows_evenly(gradients, tmp_path):
    counts = np.zeros(100)
    for seed in range(300):
        found = SketchedRows(stored(gradients[:, :64], tmp_path), 64, [seed], block_bytes=64 * 4 * 10)
        found.append(torch.randn(100, 64, generator=torch.Generator().manual_seed(seed)))
        found.gram()
        for row, _ in found._sample.values():
            counts[row] += 1
    assert counts.sum() == 300 * 32
    assert counts.min() > 60 and counts.max() < 132  # 96 expected, standard deviation 8


def test_rows_give_the_same_bits_however_they_come(rows, gradients, tmp_path):
    whole = sketched(rows, gradients, tmp_path, 128, block_bytes=WIDTH * 4 * 7).gram()
    file = tmp_path / "rows.bin"
    file.write_bytes(rows.numpy().tobytes())
    parts = SketchedRows(stored(gradients, tmp_path), 128, [0], block_bytes=WIDTH * 4 * 7)
    parts.append(rows[:3])
    parts.refer([FileRow(path=file, offset=i * WIDTH * 4, width=WIDTH, dtype=torch.float32) for i in range(3, 31)])
    parts.append(rows[31:32])
    parts.append(rows[32:])
    assert parts.rows == CLIPS
    found = parts.gram()
    assert (found.kernel.factor == whole.kernel.factor).all()
    assert (found.cross == whole.cross).all()


def test_nothing_of_a_layers_width_stays_but_the_sample(rows, gradients, tmp_path):
    found = sketched(rows, gradients, tmp_path, 64, block_bytes=WIDTH * 4 * 10)
    assert found._block.nbytes == WIDTH * 4 * 10
    assert sum(factor.nbytes for factor in found._factors) == CLIPS * 64 * 4


def test_rows_of_another_width_are_refused(rows, gradients, tmp_path):
    found = sketched(rows, gradients, tmp_path, 64)
    with pytest.raises(ShapeError, match="one size"):
        found.append(rows[:, :-1])
    with pytest.raises(ShapeError, match="one size"):
        SketchedRows(stored(gradients, tmp_path), 64, [0]).append(rows[:, :-1])


@pytest.mark.parametrize("kind", CAV_FITTERS.names())
def test_a_factored_kernel_gives_what_its_matrix_gives(kind, labels):
    factor = np.random.default_rng(5).normal(size=(CLIPS, 24)).astype(np.float32)
    factor += 0.5 * labels[0][:, None]
    ours = FactoredKernel(factor)
    matrix = factor.astype(float) @ factor.astype(float).T
    used = np.random.default_rng(6).permutation(CLIPS)[:50]
    np.testing.assert_allclose(labels @ ours, labels @ matrix, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(kernel_scale(ours), kernel_scale(matrix))
    part = kernel_of(ours, used)
    np.testing.assert_allclose(labels[:, used] @ part, labels[:, used] @ kernel_of(matrix, used), rtol=1e-4, atol=1e-3)
    counts = np.random.default_rng(7).multinomial(CLIPS, np.full(CLIPS, 1 / CLIPS), size=len(labels)).astype(float)
    cross = np.random.default_rng(8).normal(size=(CLASS, CLIPS))
    for weights in (None, counts):
        alphas = [fit_cavs(kind, kernel, labels, weights) for kernel in (ours, matrix)]
        vectors = [unit_coefficients(matrix, each) @ factor for each in alphas]
        np.testing.assert_allclose(vectors[0], vectors[1], atol=2e-4)
        both = [clip_effects(kind, kernel, cross, labels, weights) for kernel in (ours, matrix)]
        np.testing.assert_allclose(both[0], both[1], rtol=2e-3, atol=2e-4)


def test_thousands_of_clips_have_the_effects_and_scores_of_whole_rows(tmp_path):
    """More rows than a sketch has values, and twins that are all the same to the layer, where a CAV is nothing but rounding."""
    count, width, shown = 3000, 400, 1000
    generator = torch.Generator().manual_seed(4)
    plain = torch.randn(count, width, generator=generator) + 3
    plain[:shown, :40] += 0.5
    frozen = torch.full((count, width), 3.0) + torch.randn(width, generator=generator)
    gradients = stored(torch.randn(5, width, generator=generator), tmp_path)
    both = torch.cat([plain, frozen])
    small = SketchedRows(gradients, 64, [0], block_bytes=width * 4 * 500)
    small.append(both)
    whole = gram(stored(both, tmp_path), gradients, range(2 * count), range(5))
    numbers = np.arange(count)
    design = Design(labels=numbers < shown, units=numbers, groups=numbers, n_units=count, n_groups_total=count)
    comparison = Comparison(
        concept="one",
        versus="random",
        negatives="moving",
        design=design,
        rows={"none": numbers, "frozen": numbers + count},
        warnings=(),
    )
    settings = TestSettings(permutations=19, random_sets=4, bootstraps=10)
    exact, found = (measure(comparison, {"layer": each}, range(5), settings) for each in (whole, small.gram()))
    assert [key.twin for key in exact] == ["none", "frozen", "motion"]
    for key, (measurement, draws) in exact.items():
        np.testing.assert_allclose(found[key][1].by_clip, draws.by_clip, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(found[key][1].null, draws.null, rtol=1e-3, atol=1e-4)
        assert found[key][0].tcav_score == measurement.tcav_score
        assert found[key][0].p_value == measurement.p_value
    own, frozen = (CavKey(concept=comparison.concept, twin=twin, layer="layer") for twin in ("none", "frozen"))
    assert found[own][0].tcav_magnitude == pytest.approx(exact[own][0].tcav_magnitude, rel=0.3)
    assert found[own][0].represented and exact[own][0].represented
    assert exact[frozen][0].tcav_score == 0  # no direction, so no derivative


@pytest.fixture(scope="module")
def model(shapes, shapes_weights):
    return vt.load_model(f"file:{shapes.__file__}:build", weights=shapes_weights, device="cpu")


@pytest.fixture(scope="module")
def both(model, shapes_clips):
    options = {"twins": ["frozen", "reversed"], "relative": [("moves-right", "green")]}
    return run(model, shapes_clips, **options), run(model, shapes_clips, sketch=512, detail=True, **options)


def test_a_sketched_run_has_the_effects_of_a_whole_one(both):
    whole, small = both
    assert len(whole.results) == len(small.results) > 0
    exact = ("concept", "versus", "layer", "twin", "negatives", "n_groups", "tcav_score", "p_perm", "family_size")
    for one, other in zip(whole.results, small.results, strict=True):
        assert [getattr(one, name) for name in exact] == [getattr(other, name) for name in exact]
        for name in ("effect", "effect_low", "effect_high", "z", "p_t"):
            assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-4, abs=1e-5)
        assert other.cav_auc == pytest.approx(one.cav_auc, abs=0.15)
        assert other.represented or one.p_represented > 0.02  # near the edge either may come out
        if one.twin not in ("motion", "order"):  # whose slopes are differences
            assert other.tcav_magnitude == pytest.approx(one.tcav_magnitude, rel=0.3)


def test_it_says_how_good_the_sketch_is(both):
    whole, small = both
    assert whole.provenance["sketch"] == {}
    assert set(small.provenance["sketch"]) == {one.layer for one in small.results}
    for error in small.provenance["sketch"].values():
        assert error["rms"] < 2 * error["bound"]
    assert small.detail is not None
    assert not small.detail.diagnostics.place_and_time
    assert small.detail.diagnostics.split_half


@pytest.mark.parametrize("cav", ["ridge", "svm", "logistic"])
def test_other_cavs_come_close(model, shapes_clips, cav):
    changes = {"cav": cav, "permutations": 19, "bootstraps": 10, "random_sets": 4, "layers": ["stages.2"]}
    whole, small = run(model, shapes_clips, **changes), run(model, shapes_clips, sketch=2048, **changes)
    for one, other in zip(whole.results, small.results, strict=True):
        assert other.effect == pytest.approx(one.effect, rel=0.15, abs=0.1)


def test_a_store_and_workers_give_the_same_bits(model, shapes_clips, tmp_path):
    changes = {"sketch": 256, "twins": ["frozen"]}
    plain = run(model, shapes_clips, **changes)
    assert run(model, shapes_clips, store=tmp_path / "store", **changes).results == plain.results
    assert run(model, shapes_clips, store=tmp_path / "store", **changes).results == plain.results
    assert run(model, shapes_clips, workers=1, **changes).results == plain.results


def test_cavs_of_another_run_do_not_stand_beside_sketched_results(model, shapes_clips, tmp_path):
    run(model, shapes_clips, out=tmp_path)
    assert (tmp_path / "cavs.safetensors").exists()
    run(model, shapes_clips, out=tmp_path, sketch=256)
    assert (tmp_path / "results.csv").exists()
    assert not (tmp_path / "cavs.safetensors").exists()


def test_too_many_clips_for_the_budget_are_refused_before_any_pass(model, shapes_clips, monkeypatch):
    monkeypatch.setattr("video_tcav.tcav.plan.ROOM_BYTES", 20_000)
    with pytest.raises(InputError, match=r"inner products of \d+ clips at 3 layers.*--sketch 1024"):
        run(model, shapes_clips, memory=0)
    with pytest.raises(InputError, match="or use a smaller --sketch"):
        run(model, shapes_clips, memory=0, sketch=1024)
    assert run(model, shapes_clips, memory="2MB", sketch=64, **RUN).results


def test_a_sketch_of_few_values_is_refused(model, shapes_clips):
    with pytest.raises(InputError, match="`sketch` must be at least 64"):
        run(model, shapes_clips, sketch=8)
