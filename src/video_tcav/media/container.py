"""Opening media files with an allow-list of formats, and plain words for files that cannot be opened."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path

import av
from av.container import InputContainer
from av.error import ArgumentError, DecoderNotFoundError, FFmpegError, InvalidDataError
from av.stream import Disposition
from av.video.stream import VideoStream

from video_tcav.core.errors import MediaError
from video_tcav.media.structure import mapped, missing_of_iso_file

COPY_AGAIN = "copy or download it again"
# pixels above which a still or a frame of a video is refused before it is decoded
MOST_STILL_MEGAPIXELS = 100  # 300 MB in RGB
MOST_VIDEO_MEGAPIXELS = 36  # 8K has 33; a clip has many frames, and a decoder keeps several

# demuxers, of which none opens a second file or the network
_VIDEO_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,apng,mpeg,mpegts,mpegvideo,m4v,h264,hevc,ivf,obu,asf,flv,ogg,dv,"
    "yuv4mpegpipe"
)
_IMAGE_FORMATS = (
    "png_pipe,jpeg_pipe,bmp_pipe,webp_pipe,webp,tiff_pipe,gif_pipe,mjpeg,ppm_pipe,pgm_pipe,pbm_pipe,j2k_pipe,qoi_pipe"
)
_PLAYLIST = "a playlist or text that names other files, which is never opened; give the video files themselves"
_PLAYLIST_STARTS = (b"ffconcat", b"#EXTM3U", b"<?xml", b"<MPD", b"v=0", b"[playlist]", b"<smil", b"[Reference]")

_STILL_CODECS = frozenset({"png", "mjpeg", "bmp", "webp", "tiff", "ppm", "pgm", "pbm", "jpeg2000", "qoi"})
_HEIF_BRANDS = frozenset({"heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"})
_PNG = b"\x89PNG\r\n\x1a\n"
_WEBP_ANIMATION = 0x02  # of the flags in the header of an extended WebP
_HEAD_BYTES = 65536


@contextmanager
def open_media(path: Path, *, image: bool = False, content: bytes | None = None) -> Iterator[InputContainer]:
    """An open container; FFmpeg's errors inside the `with` become a `MediaError` in plain words.

    The format of an `image` is detected by content alone: FFmpeg trusts its ending, and takes `%d` for a counter.

    Args:
        path: the file, or what messages call it where there is `content`.
        image: whether it is a picture.
        content: bytes of a picture that is no file of its own.

    Raises:
        MediaError: if the file is missing, unreadable, empty, or not a video.
    """
    if content is None:
        check_file(path)
    elif not content:
        raise MediaError(path, f"empty file of 0 bytes; {COPY_AGAIN}")
    if image and _is_animation(_head(path) if content is None else content[:_HEAD_BYTES]):
        raise MediaError(path, "an animation that is named like a picture; convert it to mp4, or name a PNG .apng")
    options = {
        "format_whitelist": f"{_VIDEO_FORMATS},{_IMAGE_FORMATS}",
        "protocol_whitelist": "file",
        "max_pixels": decoder_limit(image),
    }
    try:
        with ExitStack() as stack:
            # an absolute path cannot be taken for a protocol ("a:b.mp4"), and a map of bytes has no name at all
            if content is not None:
                target = BytesIO(content)
            else:
                target = stack.enter_context(mapped(path)) if image else str(path.absolute())
            try:
                container = av.open(target, "r", metadata_errors="replace", options=options)
            except ArgumentError as error:  # of the allow-list
                reason = "not one of the containers that are read; convert it to H.264 in mp4"
                is_playlist = content is None and _is_playlist(path)
                raise MediaError(path, _PLAYLIST if is_playlist else reason) from error
            yield stack.enter_context(container)
    except FFmpegError as error:
        raise MediaError(path, _plain_reason(None if content is not None else path, error)) from error


def decoder_limit(image: bool) -> str:
    """The limit for FFmpeg's decoders: 2 % more pixels than are allowed, since they count what they add for alignment."""
    return str((MOST_STILL_MEGAPIXELS if image else MOST_VIDEO_MEGAPIXELS) * 1_020_000)


def strict_decoding() -> dict[str, str]:
    """FFmpeg's options for decoders: deviations from the bitstream's rules are errors instead of being concealed."""
    return {"err_detect": "crccheck+bitstream+buffer+careful+explode", "max_pixels": decoder_limit(image=False)}


def check_file(path: Path) -> None:
    """Refuse a file that is missing, a folder, unreadable or empty, without decoding."""
    try:
        exists = path.exists()
    except OSError as error:  # a name that is too long, or a folder that may not be entered
        raise MediaError(path, f"cannot be read ({error.strerror}); check its name and permissions") from error
    if not exists:
        raise MediaError(path, "no such file; check the path, or the list that names it")
    if path.is_dir():
        raise MediaError(path, "a folder, where a file is needed; give a file in it, or the folder to `find_videos`")
    if not os.access(path, os.R_OK):
        raise MediaError(path, "may not be read; change its permissions")
    if path.stat().st_size == 0:
        raise MediaError(path, f"empty file of 0 bytes; {COPY_AGAIN}")


def picture_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first video stream that is not the cover picture of a piece of music."""
    _refuse_tiles(container, path)
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            stream.thread_type = "NONE"  # several files at once are faster than several threads on one
            _refuse_enormous(stream, path)
            return stream
    streams = "sound but no picture" if container.streams.audio else "no picture"
    raise MediaError(path, f"has {streams}; give a file with a video stream")


def _refuse_tiles(container: InputContainer, path: Path) -> None:
    """Refuse pictures in tiles, as phones save them: FFmpeg gives each tile as a stream, and the first would pass for all."""
    brand = container.metadata.get("major_brand", "").strip()
    streams = container.streams.video
    is_one_picture = bool(streams) and bool(streams[0].disposition & Disposition.default)
    if brand in _HEIF_BRANDS or (brand == "avif" and not is_one_picture):
        raise MediaError(path, "a HEIF picture, which may be cut into tiles; save it as JPEG or PNG")


def _refuse_enormous(stream: VideoStream, path: Path) -> None:
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MOST_VIDEO_MEGAPIXELS * 1_000_000 and stream.codec_context.name not in _STILL_CODECS:
        raise MediaError(
            path, f"frames of {width}×{height} pixels: more than {MOST_VIDEO_MEGAPIXELS} megapixels; make them smaller"
        )


def _plain_reason(path: Path | None, error: FFmpegError) -> str:
    if path is not None and _is_playlist(path):
        return _PLAYLIST
    if isinstance(error, DecoderNotFoundError):
        return "its codec is unknown to FFmpeg; convert it to H.264 in mp4"
    if isinstance(error, PermissionError):
        return "may not be read; change its permissions"
    missing = None if path is None else missing_of_iso_file(path)
    if missing:
        return f"truncated: {missing}; {COPY_AGAIN}"
    if isinstance(error, InvalidDataError):
        return f"not a video, or broken beyond reading; play it to check, or {COPY_AGAIN}"
    words = " ".join(str(error.strerror or error).split())
    return f"cannot be read ({words}); play it to check, or {COPY_AGAIN}"


def _is_playlist(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(512).lstrip(b"\xef\xbb\xbf \r\n\t").startswith(_PLAYLIST_STARTS)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _is_animation(head: bytes) -> bool:
    """Whether a WebP, AVIF or PNG is an animation, of which a decoder of stills would give the first picture."""
    if head.startswith(b"RIFF"):
        return head[8:16] == b"WEBPVP8X" and len(head) > 20 and bool(head[20] & _WEBP_ANIMATION)
    _, chunk, control = head.partition(b"acTL")
    return head[4:12] == b"ftypavis" or (head.startswith(_PNG) and bool(chunk) and control[:4] > b"\0\0\0\1")
