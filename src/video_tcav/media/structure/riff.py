"""AVI: chunks, and an index of those that hold pictures and sound."""

import numpy as np

from video_tcav.media.structure.reasons import damaged, truncated

_ENTRY = np.dtype([("name", "<u4"), ("flags", "<u4"), ("offset", "<u4"), ("size", "<u4")])
_UNKNOWN = 0xFFFF0000  # recorders write sizes from here on while they do not know the size yet
_LIST = int.from_bytes(b"rec ", "little")


def avi_damage(content: memoryview) -> str | None:
    """Check that each entry of the index (idx1) leads to its chunk; files with another index or none pass."""
    promised = 8 + int.from_bytes(content[4:8], "little")
    if len(content) + 1 < promised < _UNKNOWN:  # a last byte of padding may be missing
        return truncated(len(content), promised)
    lists = _lists(content, promised)
    if isinstance(lists, int):
        return damaged(lists)
    if b"movi" not in lists or b"idx1" not in lists:
        return None
    movi, (start, size) = lists[b"movi"][0], lists[b"idx1"]
    end = min(start + size, len(content))
    entries = np.frombuffer(content[start : end - (end - start) % _ENTRY.itemsize], _ENTRY)
    entries = entries[(entries["name"] != _LIST) & (entries["size"] > 0)]
    data = np.frombuffer(content, np.uint8)
    for base in (movi, 0):  # offsets count from the list of chunks, or from the start of the file
        offsets = entries["offset"].astype(np.int64) + base
        good = (offsets + 8 <= len(content)) & (offsets >= 0)
        good[good] &= _words(data, offsets[good]) == entries["name"][good]
        good[good] &= _words(data, offsets[good] + 4) == entries["size"][good]
        if len(good) and good.mean() > 0.5:  # with the other base hardly an entry leads to a chunk
            return None if good.all() else damaged(int(offsets[~good][0]))
    return None


def _words(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Little-endian numbers of 32 bits at offsets that need not be aligned."""
    return data[offsets[:, None] + np.arange(4)].view("<u4").ravel()


def _lists(content: memoryview, promised: int) -> dict[bytes, tuple[int, int]] | int:
    """Start (from which offsets count) and size of the chunks of the first RIFF, or the offset where their chain breaks."""
    offset, lists = 12, dict[bytes, tuple[int, int]]()
    while offset + 12 <= min(promised, len(content)):
        name, size = bytes(content[offset : offset + 4]), int.from_bytes(content[offset + 4 : offset + 8], "little")
        if not (name.isascii() and name.decode("ascii").isprintable()):
            return offset
        inner = bytes(content[offset + 8 : offset + 12])
        lists.setdefault(inner if name == b"LIST" else name, (offset + 8, size))
        offset += 8 + size + size % 2
    return lists
