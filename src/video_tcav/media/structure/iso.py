"""MP4, MOV and 3GP: a chain of boxes, of which one is the index (moov)."""

from video_tcav.media.structure.reasons import joined


def iso_damage(content: memoryview) -> str | None:
    """Check that there is one index only: of files that were joined, players show the first."""
    offset, start, indices = 0, 0, 0
    while offset + 16 <= len(content):
        size, name = int.from_bytes(content[offset : offset + 4], "big"), bytes(content[offset + 4 : offset + 8])
        if size == 1:  # a length of 64 bits follows
            size = int.from_bytes(content[offset + 8 : offset + 16], "big")
        if name == b"ftyp":
            start = offset
        indices += name == b"moov"
        if indices > 1:
            return joined(start)
        if size < 8:
            return None
        offset += size
    return None
