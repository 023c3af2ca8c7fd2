"""The blocks of a store: one safetensors file for what one batch gave, with a digest for each part of it.

The digests are there to find damage, and are as fast as memory: a second run checks all that it reads.
"""

import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch
import xxhash
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from video_tcav.core.files import sync
from video_tcav.recording.cache.database import BLOCKS, cannot_write

DTYPES = {"float32": torch.float32, "float64": torch.float64}
DTYPE_NAMES = {dtype: name for name, dtype in DTYPES.items()}

_NAME = re.compile(r"[0-9a-f]{32}\.safetensors")
_UNFINISHED = re.compile(r"\.new-[0-9a-f]{32}\.tmp")
_CHUNK = 4 * 2**20
_LONGEST_HEADER = 100 * 2**20


@dataclass(frozen=True, kw_only=True)
class Part:
    """One layer of a block.

    Attributes:
        offset: of the first row, in bytes from the start of the file.
        width: values in a row.
        dtype: `float32` or `float64`.
        digest: of all rows.
    """

    offset: int
    width: int
    dtype: str
    digest: bytes


@dataclass(frozen=True, kw_only=True)
class Block:
    """A file that is complete.

    Attributes:
        name: of the file.
        bytes: its length.
        header: digest of what stands before the first tensor.
        parts: by layer.
    """

    name: str
    bytes: int
    header: bytes
    parts: Mapping[str, Part]


def write_block(folder: Path, layers: Mapping[str, Tensor], *, durable: bool = True) -> Block:
    """Write a block: complete before it gets its name.

    Args:
        folder: of the store.
        layers: one row a clip; float32 or float64, on the CPU, contiguous.
        durable: whether it is on the disk by then, and not in the system's memory only.

    Raises:
        OutputError: if the disk is full or the folder cannot be written to; nothing is left behind.
    """
    token = secrets.token_hex(16)
    unfinished, path = folder / BLOCKS / f".new-{token}.tmp", folder / BLOCKS / f"{token}.safetensors"
    try:
        unfinished.parent.mkdir(exist_ok=True)
        save_file(dict(layers), unfinished, metadata={"content": "video-tcav activations"})
        with unfinished.open("rb") as file:
            if durable:
                os.fsync(file.fileno())
            header, start = _read_header(file)
        size = unfinished.stat().st_size
        unfinished.replace(path)
        if durable:
            sync(path.parent)
    except (OSError, SafetensorError) as error:
        raise cannot_write(folder, getattr(error, "strerror", None) or error) from error
    finally:
        with suppress(OSError):
            unfinished.unlink()
    places = json.loads(header[8:])
    parts = {
        layer: Part(
            offset=start + places[layer]["data_offsets"][0],
            width=values.shape[1],
            dtype=DTYPE_NAMES[values.dtype],
            digest=_digest(values.numpy().data.cast("B")),
        )
        for layer, values in layers.items()
    }
    return Block(name=path.name, bytes=size, header=_digest(header), parts=parts)


def block_path(folder: Path, name: str) -> Path | None:
    """Where a block lies; `None` for a name that is none, and could lead out of the store."""
    return folder / BLOCKS / name if _NAME.fullmatch(name) else None


def fault(path: Path | None, size: int, header: bytes, parts: Mapping[str, tuple[int, int, bytes]]) -> str:
    """What is wrong with a block; empty where nothing is.

    Args:
        path: of the file.
        size: its length.
        header: digest of its header.
        parts: by layer the offset, the length and the digest of what is to be read.
    """
    if path is None:
        return "has a name that no block has"
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno()).st_size
            if found != size:
                return f"has {found} bytes instead of {size}"
            if _digest(_read_header(file)[0]) != header:
                return "has a changed header"
            for layer, (offset, length, digest) in parts.items():
                if _digest_of(file, offset, length) != digest:
                    return f"has changed values at layer {layer}"
    except OSError as error:
        return "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
    return ""


def files(folder: Path) -> Iterator[Path]:
    """All files that are or were to become blocks."""
    with suppress(OSError):
        for path in (folder / BLOCKS).iterdir():
            if _NAME.fullmatch(path.name) or _UNFINISHED.fullmatch(path.name):
                yield path


def _read_header(file: BinaryIO) -> tuple[bytes, int]:
    """The bytes before the first tensor, and how many they are."""
    file.seek(0)
    length = file.read(8)
    count = min(int.from_bytes(length, "little"), _LONGEST_HEADER)
    return length + file.read(count), 8 + count


def _digest_of(file: BinaryIO, offset: int, length: int) -> bytes:
    digest = xxhash.xxh3_128()
    file.seek(offset)
    while length > 0:
        chunk = file.read(min(length, _CHUNK))
        if not chunk:
            return b""
        digest.update(chunk)
        length -= len(chunk)
    return digest.digest()


def _digest(content: bytes | memoryview) -> bytes:
    return xxhash.xxh3_128_digest(content)
