"""The default cache folder: where activations go that are kept on request, but at no place of their own."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """The default activation store, of `--cache` without a folder.

    It is `VIDEO_TCAV_CACHE` if that is set, else `video-tcav` in `XDG_CACHE_HOME`, else in `~/.cache` (on Windows in
    `LOCALAPPDATA`). Nothing is made.
    """
    if chosen := os.environ.get("VIDEO_TCAV_CACHE"):
        return Path(chosen).expanduser()
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # relative ones are to be ignored, by the XDG specification
        local = os.environ.get("LOCALAPPDATA") if os.name == "nt" else None
        base = Path(local) if local else Path.home() / ".cache"
    return base / "video-tcav"


def embedding_folder() -> Path:
    """Where embeddings of clips by encoders of texts are kept: beside the activation store, which has its folder for itself."""
    store = cache_folder()
    return store.with_name(f"{store.name}-embeddings")


def logit_folder(store: Path) -> Path:
    """Where logits of versions of clips are kept: beside an activation store, which has its folder for itself."""
    return store.with_name(f"{store.name}-logits")
