"""Matroska and WebM (RFC 9559): nested elements of known size, with a CRC-32 in most Matroska files."""

import zlib

from video_tcav.media.structure.reasons import damaged, require_bytes

# identifiers of elements (RFC 9559, section 5.1)
_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_CRC32, _VOID = 0xBF, 0xEC
_TOP = frozenset({_EBML, _SEGMENT, _VOID, _CRC32})
_IN_SEGMENT = frozenset(
    {0x114D9B74, 0x1549A966, 0x1654AE6B, _CLUSTER, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367, _VOID, _CRC32}
)
_IN_CLUSTER = frozenset({0xE7, 0xA3, 0xA0, 0xA7, 0xAB, 0xAF, 0x5854, _VOID, _CRC32})
_CRC_SIZE = 6  # with its identifier and size


def check_matroska(content: memoryview) -> None:
    """Check sizes and checksums of all elements down to the clusters' blocks."""
    offset = 0
    while offset < len(content):
        header = _header(content, offset)
        if header is None or header[0] not in _TOP:
            if offset:
                return  # appended bytes do no harm
            raise damaged(offset)
        identifier, start, size = header
        end = len(content) if size is None else start + size
        require_bytes(content, end)
        if identifier == _SEGMENT:
            _check_children(content, start, end, _IN_SEGMENT)
        offset = end


def _check_children(content: memoryview, start: int, end: int, allowed: frozenset[int]) -> None:
    offset = start
    while offset < end:
        header = _header(content, offset)
        if header is None:
            raise damaged(offset)
        identifier, inside, size = header
        if allowed is _IN_SEGMENT and identifier in _IN_CLUSTER - {_VOID, _CRC32}:
            pass  # inside a cluster of unknown size, as recorders write it
        elif identifier not in allowed:
            raise damaged(offset)
        if size is None:  # its children are walked as if they were its neighbours
            offset = inside
            continue
        if inside + size > end:
            require_bytes(content, inside + size)
            raise damaged(offset)
        _check_element(content, identifier, inside, inside + size)
        offset = inside + size


def _check_element(content: memoryview, identifier: int, start: int, end: int) -> None:
    if identifier in _IN_SEGMENT and content[start : start + 2] == b"\xbf\x84":
        checksum = int.from_bytes(content[start + 2 : start + _CRC_SIZE], "little")
        if zlib.crc32(content[start + _CRC_SIZE : end]) != checksum:
            raise damaged(start)
    elif identifier == _CLUSTER:
        _check_children(content, start, end, _IN_CLUSTER)


def _header(content: memoryview, offset: int) -> tuple[int, int, int | None] | None:
    """Identifier, where the content starts, and its size (`None` if unknown) of the element at an offset."""
    if offset >= len(content) or content[offset] < 0x10:  # identifiers have at most four bytes
        return None
    # the leading zero bits of a number's first byte tell how many bytes follow (RFC 8794, section 4)
    size_start = offset + 9 - content[offset].bit_length()
    if size_start >= len(content) or content[size_start] == 0:
        return None
    size_bytes = 9 - content[size_start].bit_length()
    inside = size_start + size_bytes
    if inside > len(content):
        return None
    mask = (1 << 7 * size_bytes) - 1
    size = int.from_bytes(content[size_start:inside], "big") & mask
    return int.from_bytes(content[offset:size_start], "big"), inside, None if size == mask else size
