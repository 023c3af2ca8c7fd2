"""MPEG transport streams (packets of one size, each with a sync byte) and program streams (a chain of start codes)."""

import numpy as np

from video_tcav.media.structure.reasons import damaged, truncated

_SYNC, _TRANSPORT_ERROR = 0x47, 0x80
_PACKET_SIZES = (188, 192, 204)  # plain, with a time in front (M2TS), with error correction behind
_M2TS_SIZE = 192
_SEARCHED, _IN_A_ROW = 4096, 5  # bytes before the first packet, and sync bytes that prove it


_PACK, _END = 0xBA, 0xB9  # start codes of program streams


def transport_stream_damage(content: memoryview) -> str | None:
    """Check that packets follow each other to the end, and that none is marked as damaged."""
    data = np.frombuffer(content, np.uint8)
    layout = _packets(data)
    if layout is None:
        return None
    first, size = layout
    packets = (len(data) - first) // size
    grid = data[first : first + packets * size].reshape(packets, size)
    bad = np.flatnonzero((grid[:, 0] != _SYNC) | (grid[:, 1] & _TRANSPORT_ERROR != 0))
    if len(bad):
        return damaged(first + int(bad[0]) * size)
    surplus = len(data) - first - packets * size
    # the last packet of an M2TS is not followed by the time of a next one
    is_cut = surplus and data[-surplus] == _SYNC and not (size == _M2TS_SIZE and surplus == _PACKET_SIZES[0])
    return truncated(len(data), first + (packets + 1) * size) if is_cut else None


def _packets(data: np.ndarray) -> tuple[int, int] | None:
    """Where the first packet starts, and the distance of packets."""
    for first in range(min(_SEARCHED, len(data))):
        for size in _PACKET_SIZES if data[first] == _SYNC else ():
            row = data[first : first + size * _IN_A_ROW : size]
            if len(row) == _IN_A_ROW and (row == _SYNC).all():
                return first, size
    return None


def program_stream_damage(content: memoryview) -> str | None:
    """Check the chain of packs and packets to the end."""
    offset = bytes(content[:_SEARCHED]).find(b"\x00\x00\x01\xba")
    while 0 <= offset < len(content):
        if offset + 6 > len(content):
            return None if not any(content[offset:]) else truncated(len(content), offset + 6)
        if content[offset : offset + 3] != b"\x00\x00\x01" or content[offset + 3] < _END:
            if any(content[offset : offset + _SEARCHED]):
                return damaged(offset)
            return None  # padding at the end
        offset = _next_start(content, offset)
        if offset > len(content):
            return truncated(len(content), offset)
    return None


def _next_start(content: memoryview, offset: int) -> int:
    code = content[offset + 3]
    if code == _END:
        return offset + 4
    if code != _PACK:
        return offset + 6 + int.from_bytes(content[offset + 4 : offset + 6], "big")
    if content[offset + 4] >> 6 == 1:  # MPEG-2, with stuffing behind it
        return offset + 14 + (content[offset + 13] & 7 if offset + 13 < len(content) else 0)
    return offset + 12
