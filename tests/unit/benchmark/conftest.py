"""Fixtures of the benchmark's tests."""

import pytest
import torch


@pytest.fixture(scope="module")
def one_thread():
    """Networks as small as these wait for each other's threads longer than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
