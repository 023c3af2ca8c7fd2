"""Ogg (RFC 3533): pages with a checksum, a sequence number and, on the last, a mark of the end."""

import zlib

from video_tcav.media.structure.reasons import damaged, truncated

_HEADER = 27
_LAST_PAGE = 4
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


def ogg_damage(content: memoryview) -> str | None:
    """Check the chain, checksums, numbers and end of all pages."""
    offset, numbers, open_streams = 0, dict[bytes, int](), set[bytes]()
    while offset < len(content):
        if offset + _HEADER > len(content):
            return truncated(len(content), offset + _HEADER)
        if content[offset : offset + 4] != b"OggS":
            return damaged(offset)
        segments = offset + _HEADER + content[offset + 26]
        end = segments + sum(content[offset + _HEADER : segments])
        if end > len(content):
            return truncated(len(content), end)
        page = bytes(content[offset:end])
        stream, number = page[14:18], int.from_bytes(page[18:22], "little")
        if _checksum(page) != int.from_bytes(page[22:26], "little") or number != numbers.get(stream, number - 1) + 1:
            return damaged(offset)
        numbers[stream] = number
        (open_streams.discard if page[5] & _LAST_PAGE else open_streams.add)(stream)
        offset = end
    return "truncated: its last page is missing" if open_streams else None


def _checksum(page: bytes) -> int:
    """CRC-32 with the bits in the other order than zlib's, and neither preset nor inverted."""
    blank = page[:22] + bytes(4) + page[26:]
    crc = zlib.crc32(blank.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2)
