"""GIF: a chain of blocks up to a trailer."""

from video_tcav.media.structure.reasons import damaged

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B


def gif_damage(content: memoryview) -> str | None:
    """Check the chain of blocks, and that the trailer is there."""
    offset = 13 + _table_bytes(content[10]) if len(content) > 13 else len(content)
    while offset < len(content):
        introducer = content[offset]
        if introducer == _TRAILER:
            return None
        if introducer == _EXTENSION:
            offset = _after_blocks(content, offset + 2)
        elif introducer == _IMAGE and offset + 9 < len(content):
            offset = _after_blocks(content, offset + 11 + _table_bytes(content[offset + 9]))
        elif introducer == 0:  # some writers add an empty block
            offset += 1
        else:
            return damaged(offset)
    return f"truncated: the animation stops after {len(content)} bytes without an end"


def _table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_blocks(content: memoryview, offset: int) -> int:
    while offset < len(content) and content[offset]:
        offset += 1 + content[offset]
    return offset + 1
