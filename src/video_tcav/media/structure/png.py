"""Animated PNG: a chain of chunks up to a trailer, each with a CRC-32."""

import zlib

from video_tcav.media.structure.reasons import damaged, joined, truncated

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_AROUND = 12  # bytes of a chunk's length, name and checksum
_TRAILER = b"IEND"


def apng_damage(content: memoryview) -> str | None:
    """Check sizes and checksums of all chunks, and that the trailer is there."""
    offset = len(_SIGNATURE)
    while offset + _AROUND <= len(content):
        end = offset + _AROUND + int.from_bytes(content[offset : offset + 4], "big")
        if end > len(content):
            return truncated(len(content), end)
        if zlib.crc32(content[offset + 4 : end - 4]) != int.from_bytes(content[end - 4 : end], "big"):
            return damaged(offset)
        if content[offset + 4 : offset + 8] == _TRAILER:
            return joined(end) if content[end : end + len(_SIGNATURE)] == _SIGNATURE else None
        offset = end
    return truncated(len(content), offset + _AROUND)
