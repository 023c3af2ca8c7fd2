"""Sequences of pictures: GIF, animated PNG, IVF, YUV4MPEG, and Motion JPEG without a container."""

import re
import zlib

from video_tcav.media.structure.reasons import StructureError, damaged, joined, require_bytes

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B  # of GIF: what a block's first byte says


def check_gif(content: memoryview) -> None:
    """Check the chain of blocks, and that the trailer is there."""
    offset = 13 + _table_bytes(content[10]) if len(content) > 13 else len(content)
    while offset < len(content):
        introducer = content[offset]
        if introducer == _TRAILER:
            return
        if introducer == _EXTENSION:
            offset = _after_blocks(content, offset + 2)
        elif introducer == _IMAGE and offset + 9 < len(content):
            offset = _after_blocks(content, offset + 11 + _table_bytes(content[offset + 9]))
        elif introducer == 0:  # some writers add an empty block
            offset += 1
        else:
            raise damaged(offset)
    raise StructureError(f"truncated: the animation stops after {len(content)} bytes without an end")


def _table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_blocks(content: memoryview, offset: int) -> int:
    while offset < len(content) and content[offset]:
        offset += 1 + content[offset]
    return offset + 1


_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_AROUND = 12  # bytes of a chunk's length, name and checksum
_PNG_TRAILER = b"IEND"


def check_apng(content: memoryview) -> None:
    """Check sizes and checksums of all chunks, and that the trailer is there."""
    offset = len(_PNG_SIGNATURE)
    while offset + _PNG_AROUND <= len(content):
        end = offset + _PNG_AROUND + int.from_bytes(content[offset : offset + 4], "big")
        require_bytes(content, end)
        if zlib.crc32(content[offset + 4 : end - 4]) != int.from_bytes(content[end - 4 : end], "big"):
            raise damaged(offset)
        if content[offset + 4 : offset + 8] == _PNG_TRAILER:
            if content[end : end + len(_PNG_SIGNATURE)] == _PNG_SIGNATURE:
                raise joined(end)
            return
        offset = end
    require_bytes(content, offset + _PNG_AROUND)


_IVF_FRAME_HEADER = 12
_Y4M_FRAME = b"FRAME"
_Y4M_SIZES = re.compile(rb" ([WH])([0-9]{1,6})")
_Y4M_COLOURS = re.compile(rb" C(\S+)")
_Y4M_SAMPLES = {b"420": (2, 2), b"411": (4, 1), b"422": (2, 1), b"444": (1, 1)}  # pixels to a sample of colour
_MOST_HEADER_BYTES = 4096
_JPEG_END = b"\xff\xd9"


def check_ivf(content: memoryview) -> None:
    """Check that the lengths lead to the end."""
    offset = int.from_bytes(content[6:8], "little")
    while offset < len(content):
        end = offset + _IVF_FRAME_HEADER + int.from_bytes(content[offset : offset + 4], "little")
        require_bytes(content, end)
        offset = end


def check_y4m(content: memoryview) -> None:
    """Check that each picture starts where the one before ends."""
    header, _, _ = bytes(content[:_MOST_HEADER_BYTES]).partition(b"\n")
    picture_bytes = _y4m_picture_bytes(header)
    offset = len(header) + 1
    while picture_bytes and offset < len(content):
        line, _, _ = bytes(content[offset : offset + _MOST_HEADER_BYTES]).partition(b"\n")
        if not line.startswith(_Y4M_FRAME):
            raise damaged(offset)
        offset += len(line) + 1 + picture_bytes
    require_bytes(content, offset)


def _y4m_picture_bytes(header: bytes) -> int | None:
    """Bytes of a picture without its line of text; `None` for a kind that is not known."""
    tag = _Y4M_COLOURS.search(header)
    colours = tag[1] if tag else b"420jpeg"
    columns_each, rows_each = _Y4M_SAMPLES.get(colours[:3], (0, 0))
    if not columns_each or b"alpha" in colours:
        return None
    sides = {name: int(side) for name, side in _Y4M_SIZES.findall(header)}
    width, height = sides.get(b"W", 0), sides.get(b"H", 0)
    samples = width * height + 2 * -(-width // columns_each) * -(-height // rows_each)
    return samples * (2 if re.search(rb"p\d+$", colours) else 1)


def check_jpegs(content: memoryview) -> None:
    """Check that the last JPEG has its end."""
    end = bytes(content[-_MOST_HEADER_BYTES:]).rstrip(b"\0")
    if not end.endswith(_JPEG_END):
        raise StructureError(f"truncated: the last picture stops after {len(content)} bytes")
