"""Rows in memory and on disk, and the Gram matrices built from either."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from video_tcav.core.errors import InputError, OutputError, ShapeError
from video_tcav.recording.inner_products import combine_rows, gram
from video_tcav.recording.rows import RowStore, SpillSpace, parse_bytes


def filled(values: torch.Tensor, budget: int, folder: Path, batch: int = 3) -> RowStore:
    store = RowStore(SpillSpace(budget, folder))
    for start in range(0, len(values), batch):
        assert store.append(values[start : start + batch]) == start
    return store


@pytest.mark.parametrize("budget", [0, 500, 10**9], ids=["disk", "both", "memory"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_goes_in_comes_out(tmp_path, budget, dtype):
    values = torch.randn(10, 37, dtype=dtype, generator=torch.Generator().manual_seed(0))
    store = filled(values, budget, tmp_path)
    used = [7, 0, 3]
    assert torch.equal(torch.cat(list(store.column_blocks(used, 5)), dim=1), values[used])
    assert store.spilled == (budget < 10**9)
    assert store.dtype == dtype


@pytest.mark.parametrize("budget", [0, 10**9], ids=["disk", "memory"])
def test_gram_matrices_equal_their_definition(tmp_path, budget):
    generator = torch.Generator().manual_seed(0)
    activations = torch.randn(9, 101, dtype=torch.float64, generator=generator) + 5
    gradients = torch.randn(4, 101, dtype=torch.float64, generator=generator)
    stores = filled(activations, budget, tmp_path), filled(gradients, budget, tmp_path)
    found = gram(*stores, range(9), [2, 0], block_bytes=800)
    centred = (activations - activations.mean(0)).numpy()
    np.testing.assert_allclose(found.kernel, centred @ centred.T, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.cross, gradients[[2, 0]].numpy() @ centred.T, rtol=1e-12, atol=1e-12)


def test_single_precision_keeps_small_differences_between_large_activations(tmp_path):
    """Activations of 1,000 that differ by 0.01: products of the raw rows would lose the difference."""
    generator = torch.Generator().manual_seed(0)
    exact = 1000 + 0.01 * torch.randn(6, 5000, dtype=torch.float64, generator=generator)
    rounded = exact.float()
    found = gram(filled(rounded, 10**9, tmp_path), filled(rounded[:2], 10**9, tmp_path), range(6), range(2)).kernel
    centred = (rounded.double() - rounded.double().mean(0)).numpy()
    np.testing.assert_allclose(found, centred @ centred.T, rtol=2e-2, atol=2e-2 * 0.5)


def test_combining_rows_equals_the_product(tmp_path):
    values = torch.randn(6, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weights = np.random.default_rng(0).normal(size=(2, 6))
    found = combine_rows(filled(values, 0, tmp_path), range(6), weights, block_bytes=200)
    np.testing.assert_allclose(found.numpy(), weights @ values.numpy(), rtol=1e-12)


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 7), width=st.integers(1, 20), columns=st.integers(1, 25), budget=st.integers(0, 600))
def test_any_shape_any_block_any_budget(tmp_path_factory, rows, width, columns, budget):
    values = torch.arange(rows * width, dtype=torch.float32).reshape(rows, width)
    store = filled(values, budget, tmp_path_factory.mktemp("rows"), batch=2)
    assert torch.equal(torch.cat(list(store.column_blocks(range(rows), columns)), dim=1), values)


def test_half_precision_is_kept_as_single(tmp_path):
    assert filled(torch.ones(2, 3, dtype=torch.bfloat16), 0, tmp_path).dtype == torch.float32


def test_rows_of_another_width_are_refused(tmp_path):
    store = filled(torch.ones(1, 3), 10**6, tmp_path)
    with pytest.raises(ShapeError, match="activations of one size. Got 4 values after 3"):
        store.append(torch.ones(1, 4))


def test_gradients_of_another_width_are_refused(tmp_path):
    with pytest.raises(ShapeError, match="`gradients` must be as wide as `activations`. Got 4 and 3"):
        gram(filled(torch.ones(1, 3), 10**6, tmp_path), filled(torch.ones(1, 4), 10**6, tmp_path), [0], [0])


def test_a_full_disk_is_said_in_one_line():
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    store = RowStore(SpillSpace(0, full.parent))
    store._file = full
    with pytest.raises(OutputError, match="must have room for what goes beyond --memory. Got: No space left"):
        store.append(torch.ones(100, 1000))


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2 * 10**9), ("500 MB", 5 * 10**8), ("1GiB", 2**30), ("1.5kb", 1500), (7, 7), ("0", 0)]
)
def test_sizes(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["much", "2XB", "GB", "-1GB", "1 2", ""])
def test_what_is_no_size(text):
    with pytest.raises(InputError, match="`memory` must"):
        parse_bytes(text)
