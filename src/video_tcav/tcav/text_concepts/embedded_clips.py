"""Embeddings of the clips of a recording: what the model saw of each source, shown to an encoder of texts and clips."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict

import numpy as np

from video_tcav.core.progress import progress_bar
from video_tcav.media import VideoSource, load_clips
from video_tcav.recording.clip_id import ClipId
from video_tcav.recording.recording import Recording
from video_tcav.words.embedding_files import EmbeddingFiles
from video_tcav.words.encoder import Rows, TextVideoEncoder, clip_rows


def embed_recorded(
    encoder: TextVideoEncoder,
    sources: Sequence[VideoSource],
    recorded: Recording,
    digests: Mapping[str, str],
    *,
    keep: bool,
    progress: bool,
) -> dict[ClipId, Rows]:
    """The unit embedding of each recorded clip of some sources; its frames are among those that the model took.

    Args:
        encoder: embeds the clips.
        sources: whose clips.
        recorded: says which clips the sources gave.
        digests: content digest of each source, by its key.
        keep: whether embeddings are kept on disk.
        progress: whether to show a bar.
    """
    spec, files = recorded.model.clip_spec, EmbeddingFiles(encoder, keep=keep)
    used = [source for source in sources if recorded.windows.get(source.key)]
    settings = recorded.settings
    loaded = load_clips(used, spec, windows=settings.windows, threads=settings.threads)
    embeddings: dict[ClipId, Rows] = {}
    # closed by its caller, else its decoding threads live as long as the error of a file that is gone
    with closing(loaded), progress_bar("embedding (videos)", len(used), visible=progress) as advance:
        for clips in loaded:
            key = clips.source.key
            count = recorded.windows[key]  # one of a still, whatever the windows
            if clips.error is not None:  # it could be recorded a moment ago
                raise clips.error
            assert clips.clips is not None
            chosen = list(clips.clips[:count])
            facts = [digests.get(key), asdict(spec), settings.windows]
            rows = files.rows("clips", *facts, count=count, make=lambda chosen=chosen: clip_rows(encoder, chosen))
            for window, row in enumerate(rows):
                embeddings[ClipId(source=key, window=window, version="none")] = np.asarray(row)
            advance(1)
    return embeddings
