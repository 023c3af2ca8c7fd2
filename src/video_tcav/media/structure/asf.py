"""ASF (WMV): a header with the size of the file, and packets of one size."""

import numpy as np

from video_tcav.media.structure.reasons import damaged, joined, truncated

# identifiers of objects, GUIDs in the order of their bytes
_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
_DATA_HEADER = 50  # bytes
_BROADCAST = 1  # flag


def asf_damage(content: memoryview) -> str | None:
    """Check the size of the file, and that each packet starts as the first does."""
    header = bytes(content[: 30 + int.from_bytes(content[16:24], "little")][: 1 << 24])
    offset = header.find(_FILE_PROPERTIES)
    if not header.startswith(_HEADER) or offset < 0 or offset + 104 > len(header):
        return None
    fields = header[offset:]
    if fields[88] & _BROADCAST:  # sizes were not known when it was written
        return None
    promised, packet_size = int.from_bytes(fields[40:48], "little"), int.from_bytes(fields[92:96], "little")
    if len(content) < promised < 2**62:
        return truncated(len(content), promised)
    if bytes(content[promised : promised + 16]) == _HEADER:
        return joined(promised)
    data = len(header) if bytes(content[len(header) : len(header) + 16]) == _DATA else header.find(_DATA)
    if data < 0:
        data = 16 + int.from_bytes(content[16:24], "little") - 16
    if bytes(content[data : data + 16]) != _DATA or not packet_size:
        return None
    end = data + int.from_bytes(content[data + 16 : data + 24], "little")
    if end > len(content):
        return truncated(len(content), end)
    starts = np.frombuffer(content[data + _DATA_HEADER : end], np.uint8)[::packet_size]
    # packets begin with their error correction flags, whose top bit is set; without these the first byte varies
    odd = np.flatnonzero(starts != starts[0]) if len(starts) and starts[0] & 0x80 else []
    return damaged(data + _DATA_HEADER + int(odd[0]) * packet_size) if len(odd) else None
