"""Rows of a node that shares no disk with the run: encoded there as blocks, which the run alone writes to its store."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from video_tcav.recording.cache.block_index import StoredClip
from video_tcav.recording.cache.blocks import RowKind, encode_block
from video_tcav.recording.cache.file_digests import FileDigests
from video_tcav.recording.class_answers import ClassAnswer
from video_tcav.recording.rows import FileRow


class RowSender(FileDigests):
    """Has an `ActivationStore`'s methods that passes need, holds no rows, and sends new ones away.

    Args:
        facts: which the run has decided for all.
        send: takes each block; the passes wait while it does.
    """

    def __init__(self, facts: Mapping[bytes, Any], send: Callable[[memoryview], None]) -> None:
        super().__init__()
        self._facts = facts
        self._send = send

    def find(self, kind: RowKind, keys: Iterable[bytes], layers: Sequence[str]) -> dict[bytes, StoredClip]:
        """Nothing: the run asks only for what it lacks."""
        return {}

    def sources(self, kind: RowKind, keys: Iterable[bytes]) -> dict[bytes, tuple[int, bool]]:
        """Nothing, likewise."""
        return {}

    def add(
        self,
        kind: RowKind,
        keys: Sequence[bytes],
        layers: Mapping[str, Tensor],
        *,
        answers: Sequence[ClassAnswer] | None = None,
        sources: Mapping[bytes, tuple[int, bool]] | None = None,
    ) -> dict[str, list[FileRow]]:
        """Send a batch in one piece, as Ray takes it."""
        self._send(memoryview(b"".join(encode_block(kind, keys, layers, answers, sources or {}))))
        return {}

    def fact(self, key: bytes, make: Callable[[], Any]) -> Any:
        """What the run has decided."""
        return self._facts[key] if key in self._facts else make()
