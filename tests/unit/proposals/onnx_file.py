"""ONNX files with a fixed answer, written byte by byte: the smallest detector there is."""

from pathlib import Path

import numpy as np


def write_onnx(path: Path, answer: np.ndarray, *, side: int = 64, names: str | None = None) -> Path:
    """A model that takes `(1, 3, side, side)` and always gives `answer`, with `names` in its metadata."""
    tensor = b"".join(_number(1, size) for size in answer.shape) + _number(2, 1) + _text(8, "answer")
    tensor += _field(9, answer.astype("<f4").tobytes())
    node = _text(1, "answer") + _text(2, "output") + _text(4, "Identity")
    graph = _field(1, node) + _text(2, "g") + _field(5, tensor)
    graph += _field(11, _value("images", (1, 3, side, side))) + _field(12, _value("output", answer.shape))
    model = _number(1, 8) + _field(7, graph) + _field(8, _text(1, "") + _number(2, 13))
    if names is not None:
        model += _field(14, _text(1, "names") + _text(2, names))
    path.write_bytes(model)
    return path


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    dims = b"".join(_field(1, _number(1, size)) for size in shape)
    return _text(1, name) + _field(2, _field(1, _number(1, 1) + _field(2, dims)))


def _varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _field(field, text.encode())
