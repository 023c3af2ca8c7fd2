"""Embeddings of clips and word lists on disk, by content: one safetensors file for each video or list, and encoder."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from video_tcav.core.cache_folder import embedding_folder
from video_tcav.core.tables import write_tensors
from video_tcav.words.encoder import Rows, TextVideoEncoder

_FORMAT = 1  # raise it where the same clips would be embedded otherwise


class EmbeddingFiles:
    """The kept embeddings of one encoder; nothing is kept where it has no digest, or where they are not wanted.

    Args:
        encoder: whose embeddings.
        keep: whether to read and write files.
        folder: where; the default cache folder's neighbour if not given.
    """

    def __init__(self, encoder: TextVideoEncoder, *, keep: bool = True, folder: Path | None = None) -> None:
        self._folder = (folder or embedding_folder()) if keep and encoder.digest else None
        self._encoder = [encoder.digest, encoder.frames]

    def rows(self, *content: Any, count: int, make: Callable[[], Rows]) -> Rows:
        """The embeddings of some clips: from their file, or else made and put there.

        Args:
            content: all that says which clips they are, such as the video's digest and the times of its clips.
            count: how many clips; a file with another number is made anew.
            make: embeds the clips.
        """
        if self._folder is None:
            return make()
        key = hashlib.sha256(json.dumps([_FORMAT, *self._encoder, *content]).encode()).hexdigest()
        path = self._folder / key[:2] / f"{key}.safetensors"
        with suppress(OSError, SafetensorError, KeyError):  # a damaged file is made anew
            rows = load_file(path)["rows"].numpy()
            if len(rows) == count and np.isfinite(rows).all():
                return rows
        rows = make()
        write_tensors(path, {"rows": torch.from_numpy(np.ascontiguousarray(rows))})
        return rows
