"""Identity of a mask source: all that decides about its masks, for keys of what is kept."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from video_tcav.masks.mask_source import MaskSource
from video_tcav.masks.specs import MASK_SOURCES
from video_tcav.media import file_digest


def mask_identity(masks: MaskSource | None) -> list[Any] | None:
    """All that decides about the masks of a source of this package: its spec, settings, and files behind it.

    `None` for any other source, of which nothing can be known: its logits are not kept.
    """
    if masks is None:
        return []
    scheme, _, source = masks.name.partition(":")
    if not type(masks).__module__.startswith("video_tcav.masks."):
        return None
    # a spec such as hf:FOLDER names files, and so does a path alone; what is no file has no content
    places = [source if scheme in MASK_SOURCES.names() else masks.name, *_paths(masks.settings)]
    contents = [_content(Path(place.partition("?")[0])) for place in places if place]
    return [masks.name, {name: str(value) for name, value in masks.settings.items()}, contents]


def _paths(settings: Mapping[str, Any]) -> list[str]:
    """Settings that name files, such as a detector's."""
    return [str(value).partition(":")[2] or str(value) for value in settings.values() if isinstance(value, str | Path)]


def _content(path: Path) -> str:
    if path.is_file():
        return file_digest(path)
    if not path.is_dir():
        return ""
    # by names from the folder: it may lie elsewhere, but a file may not take the place of another
    total = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            total.update(f"{file.relative_to(path)}\0{file_digest(file)}\n".encode())
    return total.hexdigest()
