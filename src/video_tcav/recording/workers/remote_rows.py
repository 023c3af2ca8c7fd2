"""Rows on their way from a node to the run, which alone writes its store: one batch is one message."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any
from warnings import catch_warnings

import numpy as np
import torch
from torch import Tensor

from video_tcav.media import MemorySource, VideoSource, source_digest
from video_tcav.recording.cache import ActivationStore, StoredClip
from video_tcav.recording.cache.blocks import DTYPE_NAMES, DTYPES
from video_tcav.recording.cache.file_digests import file_signature
from video_tcav.recording.cache.row_index import About
from video_tcav.recording.rows import FileRow


@dataclass(frozen=True, kw_only=True)
class Message:
    """A batch.

    Attributes:
        rows: of one layer after the other; memory that is read and not copied on its way.
        about: what `ActivationStore.add` needs beside them, as JSON.
    """

    rows: memoryview
    about: str

    def deliver(self, store: ActivationStore) -> None:
        """Add the batch to a store.

        Raises:
            OutputError: if the disk is full.
        """
        about = json.loads(self.about)
        store.add(
            About(**about["about"]),
            [bytes.fromhex(key) for key in about["keys"]],
            self._layers(about["layers"]),
            targets=about["targets"],
            sources={bytes.fromhex(key): (clips, still) for key, (clips, still) in about["sources"].items()},
        )

    def _layers(self, layout: Sequence[tuple[str, str, tuple[int, int]]]) -> dict[str, Tensor]:
        layers, start = {}, 0
        for name, dtype, shape in layout:
            count = prod(shape)
            with catch_warnings(action="ignore", category=UserWarning):  # nobody writes to what cannot be written to
                values = torch.frombuffer(self.rows, dtype=DTYPES[dtype], count=count, offset=start)
            layers[name] = values.view(shape)
            start += values.nbytes
        return layers


class Outbox:
    """Stands where a store would: it knows no rows, and sends new ones away.

    Args:
        facts: which the run has decided for all.
        send: takes each batch; the passes wait while it does.
    """

    def __init__(self, facts: Mapping[bytes, Any], send: Callable[[Message], None]) -> None:
        self._facts = facts
        self._send = send
        self._given: dict[Path, str] = {}

    def find(self, keys: Iterable[bytes], layers: Sequence[str]) -> dict[bytes, StoredClip]:
        """Nothing: the run asks only for what it lacks."""
        return {}

    def add(
        self,
        about: About,
        keys: Sequence[bytes],
        layers: Mapping[str, Tensor],
        *,
        targets: Sequence[float] | None = None,
        sources: Mapping[bytes, tuple[int, bool]] | None = None,
    ) -> dict[str, list[FileRow]]:
        """Send a batch."""
        known = {key.hex(): value for key, value in (sources or {}).items()}
        layout = [(name, DTYPE_NAMES[rows.dtype], tuple(rows.shape)) for name, rows in layers.items()]
        text = {
            "about": asdict(about),
            "keys": [key.hex() for key in keys],
            "targets": targets,
            "sources": known,
            "layers": layout,
        }
        together = np.concatenate([rows.numpy().view(np.uint8).ravel() for rows in layers.values()])
        self._send(Message(rows=together.data, about=json.dumps(text)))
        return {}

    def sources(self, keys: Iterable[bytes]) -> dict[bytes, tuple[int, bool]]:
        """Nothing, likewise."""
        return {}

    def fact(self, key: bytes, make: Callable[[], Any]) -> Any:
        """What the run has decided."""
        return self._facts[key] if key in self._facts else make()

    def source_digest(self, source: VideoSource) -> str:
        """Digest of a source, read here.

        Raises:
            MediaError: if it cannot be read.
        """
        if not isinstance(source, MemorySource):
            self._given[source.path] = file_signature(source.path)
        return source_digest(source)

    def unchanged(self, source: VideoSource) -> bool:
        """Whether the file is still the one whose digest was given; clips in memory are taken to be."""
        return isinstance(source, MemorySource) or (
            bool(self._given.get(source.path)) and file_signature(source.path) == self._given[source.path]
        )
