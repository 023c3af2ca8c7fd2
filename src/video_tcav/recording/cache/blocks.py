"""Block files: the rows of one batch as a safetensors file that is its own index.

The header lists the clips and a digest of each layer's rows, and the file's name is the digest of the header: the name vouches
for the header, the header for the rows. Every process gives the same batch the same name, and there is no database that
could come to disagree with the files. The digests are XXH3, as fast as memory: a second run checks all that it reads.
"""

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import torch
import xxhash
from torch import Tensor

from video_tcav.recording.cache.layout import BLOCKS, write_whole
from video_tcav.recording.class_answers import ClassAnswer
from video_tcav.recording.rows import FileRow

SUFFIX = ".safetensors"

_DTYPES = {"F32": torch.float32, "F64": torch.float64}
_DTYPE_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_CONTENT = "video-tcav activations"  # the key of our part of the header
_FIRST_READ = 2**14  # bytes; most headers are a few kilobytes, so that one read gets all of it
_LONGEST_HEADER = 100 * 2**20  # bytes; the bound of the safetensors library
_CHUNK = 4 * 2**20  # bytes that are hashed at once


@dataclass(frozen=True, kw_only=True)
class RowKind:
    """What all rows of a block have in common; `role` is `activation` or `gradient`."""

    model: str  # its name, for people who look at a store
    model_digest: str
    space: str
    role: str

    def folder(self, store: Path) -> Path:
        """Folder of these blocks: a run reads the headers of its own kind only. The model's name does not matter."""
        return store / BLOCKS / f"{self.role}-{self.space}-{self.model_digest[:32]}"


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Block:
    """A complete block, as its header describes it.

    Attributes:
        used_s: when it was written or last used, in seconds since 1970.
        keys: of the clips, in the order of the rows; copies of one clip have one key.
        answers: what the model says of each clip, for gradients.
        sources: by key of a source, how many clips it has, and whether it is a still.
        first_rows: by layer, where the first row lies; the others follow.
        digests: by layer, of all rows.
    """

    path: Path
    used_s: float
    kind: RowKind
    keys: Sequence[bytes]
    answers: Sequence[ClassAnswer] | None
    sources: Mapping[bytes, tuple[int, bool]]
    first_rows: Mapping[str, FileRow]
    digests: Mapping[str, str]

    def row(self, layer: str, index: int) -> FileRow:
        """Where a row lies."""
        first = self.first_rows[layer]
        return replace(first, offset=first.offset + index * first.width * first.dtype.itemsize)


class DamagedBlockError(Exception):
    """Why a file is not the block that was written."""


def encode_block(
    kind: RowKind,
    keys: Sequence[bytes],
    layers: Mapping[str, Tensor],
    answers: Sequence[ClassAnswer] | None,
    sources: Mapping[bytes, tuple[int, bool]],
) -> list[memoryview]:
    """Content of a block, header first; see `Block`. `layers` are float32 or float64, on the CPU, contiguous; none is copied."""
    # wider values first: every tensor then starts at a multiple of its own size, as readers of safetensors expect
    ordered = dict(sorted(layers.items(), key=lambda item: -item[1].itemsize))
    contents = {name: rows.numpy().data.cast("B") for name, rows in ordered.items()}
    metadata = {
        "kind": asdict(kind),
        "keys": [key.hex() for key in keys],
        "targets": None if answers is None else list(answers),  # named when there was nothing else in it
        "sources": {key.hex(): counts for key, counts in sources.items()},
        "digests": {name: xxhash.xxh3_128_hexdigest(content) for name, content in contents.items()},
    }
    return [memoryview(_header(ordered, metadata)), *contents.values()]


def _header(layers: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> bytes:
    """Header of a safetensors file. Written here, since its digest names the file and so must be known beforehand."""
    description: dict[str, Any] = {"__metadata__": {_CONTENT: json.dumps(metadata)}}
    end = 0
    for name, rows in layers.items():
        start, end = end, end + rows.nbytes
        shape = list(rows.shape)
        description[name] = {"dtype": _DTYPE_NAMES[rows.dtype], "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(description).encode()
    text += b" " * (-len(text) % 8)  # the format pads with spaces, so that tensors start aligned
    return len(text).to_bytes(8, "little") + text


def _header_bytes(content: bytes | memoryview) -> int:
    return min(8 + int.from_bytes(content[:8], "little"), _LONGEST_HEADER)


def decode_block(store: Path, content: Sequence[memoryview]) -> Block:
    """What an encoded block will be in a store; the header must lie in the first piece."""
    header = bytes(content[0][: _header_bytes(content[0])])
    return _block(store, header, size=sum(map(len, content)), used_s=time.time())


def write_block(store: Path, content: Sequence[memoryview], *, durable: bool = True) -> Block:
    """Write an encoded block; see `write_whole` and `decode_block`."""
    block = decode_block(store, content)
    write_whole(store, block.path, content, durable=durable)
    return block


def read_block(path: Path) -> Block:
    """A block by its header, which is compared with the name; the rows are not read.

    Raises:
        DamagedBlockError: if the file is not as it was written.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            header = file.read(_FIRST_READ)
            length = _header_bytes(header)
            header = header[:length] + file.read(max(0, length - len(header)))
    except OSError as error:
        raise DamagedBlockError(f"cannot be read ({error.strerror})") from error
    if xxhash.xxh3_128_hexdigest(header) != path.stem:
        raise DamagedBlockError("has a changed header")
    return _block(path.parents[2], header, size=status.st_size, used_s=status.st_mtime)


def _block(store: Path, header: bytes, *, size: int, used_s: float) -> Block:
    try:
        description = json.loads(header[8:])
        metadata = json.loads(description.pop("__metadata__")[_CONTENT])
        kind = RowKind(**metadata["kind"])
        path = kind.folder(store) / f"{xxhash.xxh3_128_hexdigest(header)}{SUFFIX}"
        end = len(header) + max(tensor["data_offsets"][1] for tensor in description.values())
        block = Block(
            path=path,
            used_s=used_s,
            kind=kind,
            keys=[bytes.fromhex(key) for key in metadata["keys"]],
            answers=None
            if metadata["targets"] is None
            else [ClassAnswer.decode(entry) for entry in metadata["targets"]],
            sources={bytes.fromhex(key): (clips, still) for key, (clips, still) in metadata["sources"].items()},
            first_rows={
                name: FileRow(
                    path=path,
                    offset=len(header) + tensor["data_offsets"][0],
                    width=tensor["shape"][1],
                    dtype=_DTYPES[tensor["dtype"]],
                )
                for name, tensor in description.items()
            },
            digests=metadata["digests"],
        )
    except (ValueError, LookupError, TypeError) as error:
        raise DamagedBlockError("has a header that is none of a block") from error
    if size != end:
        raise DamagedBlockError(f"has {size} bytes instead of {end}")
    return block


def damage(block: Block, layers: Iterable[str]) -> str:
    """What is wrong with the rows of some layers; empty where nothing is."""
    try:
        with block.path.open("rb") as file:
            for name in layers:
                first = block.first_rows[name]
                file.seek(first.offset)
                if _next_digest(file, len(block.keys) * first.width * first.dtype.itemsize) != block.digests[name]:
                    return f"has changed values at layer {name}"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return ""


def _next_digest(file: BinaryIO, length: int) -> str:
    digest = xxhash.xxh3_128()
    while length > 0 and (chunk := file.read(min(length, _CHUNK))):
        digest.update(chunk)
        length -= len(chunk)
    return digest.hexdigest()
