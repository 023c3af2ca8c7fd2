"""Flash video: a chain of tags, each followed by its size, after metadata with the size of the file."""

import struct

from video_tcav.media.structure.reasons import damaged, truncated

_TAG_HEADER, _SIZE_FIELD = 11, 4  # bytes
_TAG_TYPES = frozenset({8, 9, 15, 18})  # sound, picture, and metadata of two kinds
_FILE_SIZE = b"\x00\x08filesize\x00"
_METADATA_BYTES = 65536


def flv_damage(content: memoryview) -> str | None:
    """Check the chain of tags, and the size in the metadata."""
    header = bytes(content[:_METADATA_BYTES])
    start = header.find(_FILE_SIZE)
    if 0 <= start <= len(header) - len(_FILE_SIZE) - 8:
        promised = struct.unpack_from(">d", header, start + len(_FILE_SIZE))[0]
        if len(content) < promised < 2**53:
            return truncated(len(content), int(promised))
    offset = int.from_bytes(content[5:9], "big") + _SIZE_FIELD
    has_sizes: bool | None = None  # some writers leave the size behind a tag at 0
    while offset < len(content):
        if offset + _TAG_HEADER > len(content):
            return truncated(len(content), offset + _TAG_HEADER)
        if content[offset] & 0x1F not in _TAG_TYPES:
            return damaged(offset)
        size = _TAG_HEADER + int.from_bytes(content[offset + 1 : offset + 4], "big")
        end = offset + size + _SIZE_FIELD
        if end > len(content):
            return truncated(len(content), end)
        matches = int.from_bytes(content[end - _SIZE_FIELD : end], "big") == size
        has_sizes = matches if has_sizes is None else has_sizes
        if has_sizes and not matches:
            return damaged(offset)
        offset = end
    return None
