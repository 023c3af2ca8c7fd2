"""AVI: chunks, and an index of those that hold pictures and sound."""

import numpy as np

from video_tcav.media.structure.reasons import damaged, truncated

_ENTRY = np.dtype([("name", "<u4"), ("flags", "<u4"), ("offset", "<u4"), ("size", "<u4")])
_UNKNOWN = 0xFFFF0000  # what recorders write that do not know the size yet
_LIST = int.from_bytes(b"rec ", "little")


def avi_damage(content: memoryview) -> str | None:
    """Check that each entry of the index leads to its chunk.

    Nothing is said where the index is missing or of another sort.
    """
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
    words = np.frombuffer(content, np.uint8)
    for base in (movi, 0):  # offsets count from the list of chunks, or from the start of the file
        places = entries["offset"].astype(np.int64) + base
        good = (places + 8 <= len(content)) & (places >= 0)
        good[good] &= _word(words, places[good]) == entries["name"][good]
        good[good] &= _word(words, places[good] + 4) == entries["size"][good]
        if len(good) and good.mean() > 0.5:
            return None if good.all() else damaged(int(places[~good][0]))
    return None


def _word(data: np.ndarray, places: np.ndarray) -> np.ndarray:
    low, high = (
        data[places + byte].astype(np.int64) + 256 * data[places + byte + 1].astype(np.int64) for byte in (0, 2)
    )
    return low + 65536 * high


def _lists(content: memoryview, promised: int) -> dict[bytes, tuple[int, int]] | int:
    """Start and size of the chunks of the first RIFF, or where their chain breaks.

    Of the list of pictures, the start is where offsets count from.
    """
    offset, lists = 12, dict[bytes, tuple[int, int]]()
    while offset + 12 <= min(promised, len(content)):
        name, size = bytes(content[offset : offset + 4]), int.from_bytes(content[offset + 4 : offset + 8], "little")
        if not (name.isascii() and name.decode("ascii").isprintable()):
            return offset
        inner = bytes(content[offset + 8 : offset + 12])
        lists.setdefault(inner if name == b"LIST" else name, (offset + 8, size))
        offset += 8 + size + size % 2
    return lists
