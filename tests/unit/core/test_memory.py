"""Freed memory stays within the process while passes go on: counted in page faults of a process of its own."""

import errno
import platform
import subprocess
import sys

import numpy as np
import pytest
import torch

from video_tcav.core.memory import memory_error_line

PROGRAM = """
import resource
import numpy as np
from video_tcav.core.memory import freed_memory_kept

def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        np.ones(80_000_000, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

outside = faults(10)
with freed_memory_kept():
    with freed_memory_kept():
        faults(1)
    inside = faults(10)  # a block that ends inside another ends nothing
try:
    with freed_memory_kept():
        raise ValueError
except ValueError:
    pass
print(outside, inside, faults(10))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
def test_pages_are_asked_for_once_and_as_before_afterwards_also_after_an_error():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    outside, inside, after = map(int, done.stdout.split())
    assert inside * 10 < outside
    assert after * 2 > outside


@pytest.mark.parametrize(
    ("error", "cure"),
    [
        (MemoryError(), "--memory"),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: 12 bytes"),
            "--sketch",
        ),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 12 bytes."), "--memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "--workers"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total"), "--device cpu"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), "--device cpu"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), "--device cpu"),
        (RuntimeError("std::bad_alloc"), "--memory"),
    ],
)
def test_too_little_memory_is_told_with_what_to_do(error, cure):
    line = memory_error_line(error)
    assert line is not None
    assert cure in line
    assert "must" in line
    assert "\n" not in line


def test_memory_that_numpy_cannot_have():
    with pytest.raises(MemoryError, match="Unable to allocate") as error:
        np.empty(2**59)
    assert "Unable to allocate 4.00 EiB" in str(memory_error_line(error.value))


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), KeyError("memory"), OSError(errno.ENOENT, "no such")])
def test_other_errors_are_not_about_memory(error):
    assert memory_error_line(error) is None
