"""Freed memory stays within the process while passes go on: counted in page faults of a process of its own."""

import platform
import subprocess
import sys

import pytest

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
