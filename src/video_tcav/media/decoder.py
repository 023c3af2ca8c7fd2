"""Frame decoder: frames with their index, and whether damage reaches them through inter-frame prediction."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.error import EOFError as AvEOFError
from av.error import FFmpegError
from av.filter import Graph
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from video_tcav.core.errors import MediaError
from video_tcav.media.container import COPY_AGAIN, MOST_VIDEO_MEGAPIXELS, strict_decoding
from video_tcav.media.h264 import FrameNumbers
from video_tcav.media.messages import MESSAGE_ONLY, decoder_messages, refuse_enormous
from video_tcav.media.picture import filter_graph
from video_tcav.media.timeline import Timeline

# other codecs have packets without a picture: VP8's hidden references, MPEG-4's frames that are not coded
PICTURE_PER_PACKET = frozenset({"h264", "hevc", "mpeg1video", "mpeg2video", "mjpeg", "gif", "av1", "libdav1d"})


@dataclass(frozen=True, kw_only=True, eq=False)
class DecodedFrame:
    """One frame of a video.

    Attributes:
        index: in the timeline.
        frame: the picture, deinterlaced.
        chain: number of the keyframe that it is predicted from, and whether it is a leading picture of that.
        number: of its packet in decoding order.
    """

    index: int
    frame: VideoFrame
    chain: tuple[int, bool]
    number: int


@dataclass(kw_only=True, eq=False)
class FrameDecoder:
    """Decodes a stream from its container's current position, and tracks damage.

    A packet that cannot be decoded spoils all frames that follow in decoding order up to the next keyframe; one of the
    leading pictures (shown before the keyframe that they follow) spoils leading pictures alone. Where frames are numbered by
    their order, it spoils all that follow, since each of them may have moved by one.
    """

    container: InputContainer
    stream: VideoStream
    timeline: Timeline
    path: Path
    _first_bad: dict[tuple[int, bool], int] = field(default_factory=dict)
    _coded: dict[int | None, tuple[tuple[int, bool], int]] = field(default_factory=dict)
    _lost_pts: set[int] = field(default_factory=set)
    _chain: int = -1
    _key_pts: int | None = None
    _number: int = 0
    _decoded: int = 0

    def __post_init__(self) -> None:
        self.stream.codec_context.options = strict_decoding()
        self._each_shown = self.stream.codec_context.name in PICTURE_PER_PACKET and not self.timeline.by_order
        codec = self.stream.codec_context
        self._numbers = FrameNumbers(extradata=codec.extradata or b"") if codec.name == "h264" else None
        self._surplus = dict(self.timeline.surplus)
        self._deinterlacer: Deinterlacer | None = None
        if not self.timeline.by_order and len(self.timeline.keyframes):
            self._first_bad[-1, False] = -1  # before a keyframe there is nothing to predict from

    @property
    def shows_each_packet(self) -> bool:
        """Whether a packet without a picture is a loss; of interlaced frames, either field may have its own."""
        return self._each_shown and self._deinterlacer is None

    def frames(self) -> Iterator[DecodedFrame]:
        """Frames in order of display, damaged ones among them."""
        for packet in self.container.demux(self.stream):
            yield from self._frames_of(packet)
        if self._deinterlacer:
            yield from self._deinterlacer.flush()

    def drain(self) -> None:
        """Flush the decoder, whose last frames may show that earlier ones are damaged."""
        for _ in self._frames_of(None):
            pass

    def is_damaged(self, decoded: DecodedFrame) -> bool:
        """Whether the frame, or one that it is predicted from, could not be decoded, as far as decoding has come."""
        return any(decoded.number >= self._first_bad.get(chain, self._number + 1) for chain in _sources(decoded.chain))

    def has_lost(self, after: int, up_to: int) -> bool:
        """Whether a packet failed whose frame would be on display at one of the indices `after` + 1, …, `up_to`."""
        lost = np.searchsorted(self.timeline.pts, sorted(self._lost_pts), side="right") - 1
        return bool(((lost > after) & (lost <= up_to)).any())

    def _frames_of(self, packet: Packet | None) -> Iterator[DecodedFrame]:
        coded = self._note(packet) if packet is not None and packet.size else None
        try:
            frames = self._decode(packet if coded else None)
        except AvEOFError:
            return
        except FFmpegError:
            frames = []
            self._spoil(coded or self._latest)
            if packet is not None and packet.pts is not None:
                self._lost_pts.add(packet.pts)
        for frame in frames:
            assert isinstance(frame, VideoFrame)
            decoded = self._placed(frame)
            yield from self._deinterlaced(decoded) if decoded else ()

    def _decode(self, packet: Packet | None) -> list[VideoFrame]:
        if self.stream.codec_context.name not in MESSAGE_ONLY:
            return self.stream.codec_context.decode(packet)
        messages: list[str] = []
        try:
            with decoder_messages() as messages:
                frames = self.stream.codec_context.decode(packet)
        except FFmpegError:
            refuse_enormous(self.path, messages, MOST_VIDEO_MEGAPIXELS)
            raise
        if messages:
            self._spoil(self._latest)
        return frames

    @property
    def _latest(self) -> tuple[tuple[int, bool], int]:
        return (self._chain, False), self._number

    def _note(self, packet: Packet) -> tuple[tuple[int, bool], int]:
        self._number += 1
        if packet.is_keyframe and not (self.timeline.by_order and self._chain >= 0):
            self._chain, self._key_pts = self._chain + 1, packet.pts
        leading = packet.pts is not None and self._key_pts is not None and packet.pts < self._key_pts
        coded = ((self._chain, leading), self._number)
        if not packet.is_discard:
            self._coded[packet.pts] = coded
        misses_reference = self._numbers is not None and self._numbers.misses_reference(bytes(packet))
        # a keyframe needs nothing of what was before it
        if packet.is_corrupt or (misses_reference and not packet.is_keyframe):
            self._spoil(coded)
        return coded

    def _spoil(self, coded: tuple[tuple[int, bool], int]) -> None:
        chain, number = coded
        self._first_bad[chain] = min(number, self._first_bad.get(chain, number))

    def _placed(self, frame: VideoFrame) -> DecodedFrame | None:
        chain, number = self._coded.pop(frame.pts, self._latest)
        if frame.is_corrupt:
            self._spoil((chain, number))
        if frame.pts is not None and self.shows_each_packet and not frame.interlaced_frame:
            self._spoil_missing(frame.pts)
        if frame.pts is not None and self._surplus.get(frame.pts, 0) > 0:
            self._surplus[frame.pts] -= 1  # another frame has the same time and replaces it on display
            self._coded[frame.pts] = (chain, number)
            return None
        if self.timeline.by_order or frame.pts is None:
            index = self._decoded
        else:
            index = int(np.searchsorted(self.timeline.pts, frame.pts, side="right")) - 1
        self._decoded += 1
        return DecodedFrame(index=index, frame=frame, chain=chain, number=number) if index >= 0 else None

    def _spoil_missing(self, shown_pts: int) -> None:
        """Decoders give frames in order of display: an earlier one that has not come is lost."""
        for pts in [pts for pts in self._coded if pts is not None and pts < shown_pts]:
            self._spoil(self._coded.pop(pts))

    def _deinterlaced(self, decoded: DecodedFrame) -> Iterator[DecodedFrame]:
        if self._deinterlacer is None and decoded.frame.interlaced_frame:
            self._deinterlacer = Deinterlacer()
        if self._deinterlacer is None:
            yield decoded
        else:
            yield from self._deinterlacer.push(decoded)


class Deinterlacer:
    """FFmpeg's yadif on the frames that are marked as interlaced; it looks one frame ahead."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._layout: tuple[int, int, str] | None = None
        self._waiting: deque[DecodedFrame] = deque()

    def push(self, decoded: DecodedFrame) -> Iterator[DecodedFrame]:
        """Frames that are ready once this one is there."""
        layout = decoded.frame.width, decoded.frame.height, decoded.frame.format.name
        if layout != self._layout:  # a filter takes pictures of one size
            yield from self.flush()
            graph = filter_graph(decoded.frame, "yadif", "mode=send_frame:deint=interlaced")
            self._graph, self._layout = graph, layout
        self._waiting.append(decoded)
        assert self._graph is not None
        self._graph.push(decoded.frame)
        yield from self._pull()

    def flush(self) -> Iterator[DecodedFrame]:
        """The last frame, which no other follows."""
        if self._graph is not None:
            self._graph.push(None)
            yield from self._pull()

    def _pull(self) -> Iterator[DecodedFrame]:
        assert self._graph is not None
        while self._waiting:
            try:
                frame = self._graph.pull()
            except (BlockingIOError, AvEOFError):
                return
            assert isinstance(frame, VideoFrame)
            yield replace(self._waiting.popleft(), frame=frame)


def _sources(chain: tuple[int, bool]) -> tuple[tuple[int, bool], ...]:
    number, leading = chain
    # leading pictures of an open group of pictures are predicted from the group before, too
    return ((number, True), (number, False), (number - 1, False)) if leading else ((number, False),)


def damaged_at(path: Path, time_s: float) -> MediaError:
    """The error for a frame that is damaged, or predicted from what is."""
    return MediaError(
        path, f"broken: the picture at {time_s:.2f} s, or one that it is predicted from, is damaged; {COPY_AGAIN}"
    )
