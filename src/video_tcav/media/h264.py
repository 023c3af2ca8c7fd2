"""Frame numbers of H.264 (ITU-T H.264, 7.3 and 7.4.3), which show whether a reference picture is missing.

FFmpeg's decoder replaces a missing reference by a copy of another picture, without an error or a flag.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

_SLICE, _IDR_SLICE, _SEQUENCE, _PICTURE = 1, 5, 7, 8  # types of units (table 7-1)
# profiles whose parameter sets say the colour format and scaling lists (7.3.2.1.1)
_WITH_CHROMA_FORMAT = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
_LONGEST_HEADER = 64  # bytes that hold the first four values of a slice: each takes eight at most


class _Bits:
    """Reader of the bits of a unit, without its header byte."""

    def __init__(self, unit: bytes) -> None:
        content = unit[1:].replace(b"\0\0\3", b"\0\0")  # 7.4.1: the third byte prevents start codes within values
        self._value, self._left = int.from_bytes(content, "big"), 8 * len(content)

    def fixed(self, count: int) -> int:
        """An unsigned value of `count` bits."""
        self._left -= count
        if self._left < 0:
            raise EOFError
        return self._value >> self._left & (1 << count) - 1

    def golomb(self) -> int:
        """An unsigned Exp-Golomb value (9.1)."""
        zeros = 0
        while not self.fixed(1):
            zeros += 1
        return (1 << zeros) - 1 + self.fixed(zeros)

    def signed_golomb(self) -> int:
        """A signed Exp-Golomb value (9.1.1)."""
        code = self.golomb()
        return (code + 1) // 2 if code % 2 else -(code // 2)


@dataclass(frozen=True, kw_only=True)
class _Sequence:
    """Fields of a sequence parameter set (7.3.2.1.1) that concern frame numbers."""

    number_bits: int
    has_planes: bool
    may_leave_out: bool


@dataclass(kw_only=True, eq=False)
class FrameNumbers:
    """Follows the frame numbers of a stream, packet by packet in the order of decoding.

    Args:
        extradata: of the codec: parameter sets, and how units are delimited.
    """

    extradata: bytes
    _sequences: dict[int, _Sequence] = field(default_factory=dict)
    _sequence_of: dict[int, int] = field(default_factory=dict)
    _last: int | None = None
    _length_bytes: int = 0

    def __post_init__(self) -> None:
        header = self.extradata
        if header[:1] != b"\1" or len(header) < 7:  # units behind start codes
            self._note_parameters(_behind_start_codes(header))
            return
        self._length_bytes = (header[4] & 3) + 1  # ISO/IEC 14496-15, 5.3.3.1: sets of two kinds, each with its length
        offset, units = 5, []
        for mask in (0x1F, 0xFF):
            sets, offset = (header[offset] & mask if offset < len(header) else 0), offset + 1
            for _ in range(sets):
                length = int.from_bytes(header[offset : offset + 2], "big")
                units.append(header[offset + 2 : offset + 2 + length])
                offset += 2 + length
        self._note_parameters(units)

    def misses_reference(self, packet: bytes) -> bool:
        """Whether a reference picture is missing between this packet's picture and the ones before.

        `False` where that cannot be told: at the first picture, and where streams may leave numbers out.
        """
        units = _with_lengths(packet, self._length_bytes) if self._length_bytes else _behind_start_codes(packet)
        for unit in units:
            kind = unit[0] & 31 if unit else 0
            if kind in (_SLICE, _IDR_SLICE):
                return self._is_behind_gap(unit, is_idr=kind == _IDR_SLICE)
            self._note_parameters([unit])
        return False

    def _is_behind_gap(self, unit: bytes, *, is_idr: bool) -> bool:
        try:
            bits = _Bits(unit[:_LONGEST_HEADER])
            for _ in ("first macroblock", "type of slice"):
                bits.golomb()
            sequence = self._sequences[self._sequence_of[bits.golomb()]]
            if sequence.has_planes:
                bits.fixed(2)
            number = bits.fixed(sequence.number_bits)
        except (EOFError, KeyError):
            self._last = None
            return False
        last, is_reference = self._last, unit[0] >> 5 & 3
        if is_reference:
            self._last = number
        if is_idr or last is None or sequence.may_leave_out:
            return False
        return number not in (last, (last + 1) % (1 << sequence.number_bits))

    def _note_parameters(self, units: Iterator[bytes] | list[bytes]) -> None:
        for unit in units:
            kind = unit[0] & 31 if unit else 0
            try:
                if kind == _SEQUENCE:
                    number, sequence = _sequence(unit)
                    self._sequences[number] = sequence
                elif kind == _PICTURE:
                    bits = _Bits(unit[:_LONGEST_HEADER])
                    number = bits.golomb()
                    self._sequence_of[number] = bits.golomb()
            except EOFError:
                continue


def _sequence(unit: bytes) -> tuple[int, _Sequence]:
    bits = _Bits(unit)
    profile, _, _ = bits.fixed(8), bits.fixed(8), bits.fixed(8)
    number, has_planes = bits.golomb(), False
    if profile in _WITH_CHROMA_FORMAT:
        chroma = bits.golomb()
        has_planes = chroma == 3 and bool(bits.fixed(1))
        for _ in ("depth of luma", "depth of chroma"):
            bits.golomb()
        bits.fixed(1)  # bypass
        if bits.fixed(1):
            for index in range(12 if chroma == 3 else 8):
                if bits.fixed(1):
                    _skip_scaling_list(bits, 16 if index < 6 else 64)  # 4x4 lists come before those of 8x8
    number_bits = bits.golomb() + 4
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.fixed(1)
        for _ in ("offset of pictures that are no reference", "offset from top to bottom"):
            bits.golomb()
        for _ in range(min(bits.golomb(), 255)):
            bits.golomb()
    bits.golomb()  # reference frames
    return number, _Sequence(number_bits=number_bits, has_planes=has_planes, may_leave_out=bool(bits.fixed(1)))


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed_golomb()) % 256
        last = following or last


def _behind_start_codes(content: bytes) -> Iterator[bytes]:
    """Units of Annex B. Zeros at their ends do no harm: only the first values are read."""
    yield from content.split(b"\0\0\1")[1:]


def _with_lengths(content: bytes, length_bytes: int) -> Iterator[bytes]:
    offset = 0
    while offset + length_bytes < len(content):
        length = int.from_bytes(content[offset : offset + length_bytes], "big")
        offset += length_bytes
        yield content[offset : offset + length]
        offset += length
