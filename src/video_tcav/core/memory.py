"""Memory: keeping freed pages between passes (glibc's mallopt), and plain words for out-of-memory errors."""

import ctypes
import errno
import platform
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # parameters of glibc's mallopt(3)
# bytes; any value turns off glibc's own adjustment, so its 128 kB would be low
_NEVER_TRIM, _TRIM_ABOVE = -1, 64 * 2**20
_NO_MMAP, _USUAL_MMAPS = 0, 65536  # blocks of their own, which go back to the system when they are freed


# NumPy and most libraries raise MemoryError; PyTorch, cuDNN, cuBLAS, OpenCV and ONNX Runtime only say so
_TOO_LITTLE = re.compile(
    r"can't allocate memory|cannot allocate memory|not enough memory|out of memory|insufficient memory"
    r"|failed to allocate|alloc_failed|bad_alloc",
    re.IGNORECASE,
)
_OF_A_GPU = re.compile(r"cuda|cudnn|cublas|gpu|hip|mps", re.IGNORECASE)

_lock = threading.RLock()
_blocks = 0  # of `freed_memory_kept` that are open in any thread
_LONGEST_REASON = 300  # characters


def memory_error_line(error: BaseException) -> str | None:
    """Message for an error that means too little memory; `None` for any other."""
    text = " ".join(str(error).split())
    short = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    if not short and not _TOO_LITTLE.search(text):
        return None
    reason = text[:_LONGEST_REASON].rpartition(". ")[0] or text[:_LONGEST_REASON] or "an allocation that failed"
    if not isinstance(error, MemoryError) and _OF_A_GPU.search(text):
        return (
            f"`device` must have memory for the model and its clips. Got: {reason}. Give a smaller --size or fewer --frames, "
            "end other programs on it, or use --device cpu."
        )
    return (
        f"`memory` must suffice for what the command does. Got: {reason}. Give a smaller --memory or --sketch 1024, fewer "
        "--workers, fewer clips, or a smaller --size."
    )


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Keep freed memory in the process until the block ends.

    glibc hands large blocks back to the system as soon as they are freed, and each pass then pays for new pages: about a
    seventh of the processor time of `r3d_18`. Other C libraries are left as they are. The setting is the process's: the first
    block of any thread makes it, and the last one to end undoes it.
    """
    global _blocks
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    with _lock:
        _blocks += 1
        if _blocks == 1:
            libc.mallopt(_TRIM_THRESHOLD, _NEVER_TRIM)
            libc.mallopt(_MMAP_MAX, _NO_MMAP)
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            if _blocks == 0:
                libc.mallopt(_MMAP_MAX, _USUAL_MMAPS)
                libc.mallopt(_TRIM_THRESHOLD, _TRIM_ABOVE)
                libc.malloc_trim(0)
