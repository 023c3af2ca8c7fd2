"""Containers with sizes or an index: MP4 and MOV, AVI, and ASF (WMV)."""

from collections.abc import Iterator

import numpy as np

from video_tcav.media.structure.reasons import damaged, joined, require_bytes

_ISO_BOXES = frozenset(b"ftyp moov mdat free skip wide pnot styp moof mfra sidx uuid meta udta".split())


def _iso_boxes(content: memoryview) -> Iterator[tuple[int, bytes, int]]:
    """Offset, name and size of the boxes that follow each other in a file."""
    offset = 0
    while offset + 8 <= len(content):
        size, name = int.from_bytes(content[offset : offset + 4], "big"), bytes(content[offset + 4 : offset + 8])
        if size == 1:  # a length of 64 bits follows
            size = int.from_bytes(content[offset + 8 : offset + 16], "big")
        yield offset, name, size
        if size < 8:  # 0: up to the end of the file
            return
        offset += size


def check_iso(content: memoryview) -> None:
    """Check that there is one index only: of files that were joined, players show the first."""
    start, indices = 0, 0
    for offset, name, _ in _iso_boxes(content):
        start = offset if name == b"ftyp" else start
        indices += name == b"moov"
        if indices > 1:
            raise joined(start)


def missing_of_iso(content: memoryview) -> str | None:
    """See `missing_of_iso_file`."""
    names = set[bytes]()
    for offset, name, size in _iso_boxes(content):
        if name not in _ISO_BOXES:  # another format, or bytes that someone appended
            break
        names.add(name)
        if offset + size > len(content):
            return f"{len(content)} of at least {offset + size} bytes are there"
    return None if b"moov" in names or not names else f"its index (moov) is missing after {len(content)} bytes"


_ENTRY = np.dtype([("name", "<u4"), ("flags", "<u4"), ("offset", "<u4"), ("size", "<u4")])
_UNKNOWN = 0xFFFF0000  # recorders write sizes from here on while they do not know the size yet
_LIST = int.from_bytes(b"rec ", "little")


def check_avi(content: memoryview) -> None:
    """Check that each entry of the index (idx1) leads to its chunk; files with another index or none pass."""
    promised = 8 + int.from_bytes(content[4:8], "little")
    if len(content) + 1 < promised < _UNKNOWN:  # a last byte of padding may be missing
        require_bytes(content, promised)
    lists = _lists(content, promised)
    if b"movi" not in lists or b"idx1" not in lists:
        return
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
            if not good.all():
                raise damaged(int(offsets[~good][0]))
            return


def _words(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Little-endian numbers of 32 bits at offsets that need not be aligned."""
    return data[offsets[:, None] + np.arange(4)].view("<u4").ravel()


def _lists(content: memoryview, promised: int) -> dict[bytes, tuple[int, int]]:
    """Start (from which offsets count) and size of the chunks of the first RIFF."""
    offset, lists = 12, dict[bytes, tuple[int, int]]()
    while offset + 12 <= min(promised, len(content)):
        name, size = bytes(content[offset : offset + 4]), int.from_bytes(content[offset + 4 : offset + 8], "little")
        if not (name.isascii() and name.decode("ascii").isprintable()):
            raise damaged(offset)
        inner = bytes(content[offset + 8 : offset + 12])
        lists.setdefault(inner if name == b"LIST" else name, (offset + 8, size))
        offset += 8 + size + size % 2
    return lists


# identifiers of objects, GUIDs in the order of their bytes
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
_DATA_HEADER = 50  # bytes
_BROADCAST = 1  # flag


def check_asf(content: memoryview) -> None:
    """Check the size of the file, and that each packet starts as the first does."""
    # with the identifier of the data behind it, also where a writer has left the first 30 bytes out of the size
    header = bytes(content[: 46 + int.from_bytes(content[16:24], "little")][: 1 << 24])
    offset = header.find(_FILE_PROPERTIES)
    if not header.startswith(_ASF_HEADER) or offset < 0 or offset + 104 > len(header):
        return
    fields = header[offset:]
    if fields[88] & _BROADCAST:  # sizes were not known when it was written
        return
    promised, packet_size = int.from_bytes(fields[40:48], "little"), int.from_bytes(fields[92:96], "little")
    if promised < 2**62:
        require_bytes(content, promised)
    if bytes(content[promised : promised + 16]) == _ASF_HEADER:
        raise joined(promised)
    data = header.find(_DATA)
    if data < 0 or not packet_size:
        return
    end = data + int.from_bytes(content[data + 16 : data + 24], "little")
    require_bytes(content, end)
    starts = np.frombuffer(content[data + _DATA_HEADER : end], np.uint8)[::packet_size]
    # packets begin with their error correction flags, whose top bit is set; without these the first byte varies
    odd = np.flatnonzero(starts != starts[0]) if len(starts) and starts[0] & 0x80 else []
    if len(odd):
        raise damaged(data + _DATA_HEADER + int(odd[0]) * packet_size)
