"""Streams of packets: MPEG transport and program streams, Flash video, and Ogg (RFC 3533)."""

import struct
import zlib

import numpy as np

from video_tcav.media.structure.reasons import StructureError, damaged, require_bytes

_SYNC, _TRANSPORT_ERROR = 0x47, 0x80
_PACKET_SIZES = (188, 192, 204)  # plain, with a time in front (M2TS), with error correction behind
_M2TS_SIZE = 192
_SEARCHED, _IN_A_ROW = 4096, 5  # bytes before the first packet, and sync bytes that prove it
_PACK, _END = 0xBA, 0xB9  # start codes of program streams


def check_transport_stream(content: memoryview) -> None:
    """Check that packets follow each other to the end, and that none is marked as damaged."""
    data = np.frombuffer(content, np.uint8)
    layout = _packets(data)
    if layout is None:
        return
    first, size = layout
    packets = (len(data) - first) // size
    grid = data[first : first + packets * size].reshape(packets, size)
    bad = np.flatnonzero((grid[:, 0] != _SYNC) | (grid[:, 1] & _TRANSPORT_ERROR != 0))
    if len(bad):
        raise damaged(first + int(bad[0]) * size)
    surplus = len(data) - first - packets * size
    # the last packet of an M2TS is not followed by the time of a next one
    is_cut = surplus and data[-surplus] == _SYNC and not (size == _M2TS_SIZE and surplus == _PACKET_SIZES[0])
    if is_cut:
        require_bytes(content, first + (packets + 1) * size)


def _packets(data: np.ndarray) -> tuple[int, int] | None:
    """Where the first packet starts, and the distance of packets."""
    for first in range(min(_SEARCHED, len(data))):
        for size in _PACKET_SIZES if data[first] == _SYNC else ():
            row = data[first : first + size * _IN_A_ROW : size]
            if len(row) == _IN_A_ROW and (row == _SYNC).all():
                return first, size
    return None


def check_program_stream(content: memoryview) -> None:
    """Check the chain of packs and packets to the end."""
    offset = bytes(content[:_SEARCHED]).find(b"\x00\x00\x01\xba")
    while 0 <= offset < len(content):
        if offset + 6 > len(content):
            if any(content[offset:]):
                require_bytes(content, offset + 6)
            return
        if content[offset : offset + 3] != b"\x00\x00\x01" or content[offset + 3] < _END:
            if any(content[offset : offset + _SEARCHED]):
                raise damaged(offset)
            return  # padding at the end
        offset = _next_start(content, offset)
        require_bytes(content, offset)


def _next_start(content: memoryview, offset: int) -> int:
    code = content[offset + 3]
    if code == _END:
        return offset + 4
    if code != _PACK:
        return offset + 6 + int.from_bytes(content[offset + 4 : offset + 6], "big")
    if content[offset + 4] >> 6 == 1:  # MPEG-2, with stuffing behind it
        return offset + 14 + (content[offset + 13] & 7 if offset + 13 < len(content) else 0)
    return offset + 12


_TAG_HEADER, _SIZE_FIELD = 11, 4  # bytes
_TAG_TYPES = frozenset({8, 9, 15, 18})  # sound, picture, and metadata of two kinds
_FILE_SIZE = b"\x00\x08filesize\x00"
_METADATA_BYTES = 65536


def check_flv(content: memoryview) -> None:
    """Check the chain of tags, and the size in the metadata."""
    header = bytes(content[:_METADATA_BYTES])
    start = header.find(_FILE_SIZE)
    if 0 <= start <= len(header) - len(_FILE_SIZE) - 8:
        promised = struct.unpack_from(">d", header, start + len(_FILE_SIZE))[0]
        if promised < 2**53:
            require_bytes(content, int(promised))
    offset = int.from_bytes(content[5:9], "big") + _SIZE_FIELD
    has_sizes: bool | None = None  # some writers leave the size behind a tag at 0
    while offset < len(content):
        require_bytes(content, offset + _TAG_HEADER)
        if content[offset] & 0x1F not in _TAG_TYPES:
            raise damaged(offset)
        size = _TAG_HEADER + int.from_bytes(content[offset + 1 : offset + 4], "big")
        end = offset + size + _SIZE_FIELD
        require_bytes(content, end)
        matches = int.from_bytes(content[end - _SIZE_FIELD : end], "big") == size
        has_sizes = matches if has_sizes is None else has_sizes
        if has_sizes and not matches:
            raise damaged(offset)
        offset = end


_OGG_HEADER = 27  # bytes, before the sizes of its segments
_LAST_PAGE = 4
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


def check_ogg(content: memoryview) -> None:
    """Check the chain, checksums, numbers and end of all pages."""
    offset, numbers, open_streams = 0, dict[bytes, int](), set[bytes]()
    while offset < len(content):
        require_bytes(content, offset + _OGG_HEADER)
        if content[offset : offset + 4] != b"OggS":
            raise damaged(offset)
        segments = offset + _OGG_HEADER + content[offset + 26]
        end = segments + sum(content[offset + _OGG_HEADER : segments])
        require_bytes(content, end)
        page = bytes(content[offset:end])
        stream, number = page[14:18], int.from_bytes(page[18:22], "little")
        if _checksum(page) != int.from_bytes(page[22:26], "little") or number != numbers.get(stream, number - 1) + 1:
            raise damaged(offset)
        numbers[stream] = number
        (open_streams.discard if page[5] & _LAST_PAGE else open_streams.add)(stream)
        offset = end
    if open_streams:
        raise StructureError("truncated: its last page is missing")


def _checksum(page: bytes) -> int:
    """CRC-32 with the bits in the other order than zlib's, and neither preset nor inverted."""
    blank = page[:22] + bytes(4) + page[26:]
    crc = zlib.crc32(blank.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2)
