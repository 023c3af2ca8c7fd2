"""Names of clips, models and files, short enough for a page and without the folders of the machine."""

import re

from video_tcav.models.loaders.loader import LOADERS


def short_clip(clip: str) -> str:
    """The last folder and the file of a clip's path."""
    # Both separators: a run may come from another system.
    return "/".join(re.split(r"[/\\]", clip)[-2:])


def short_model(name: str) -> str:
    """A model's name; where that is its spec (`file:…`, `hf:…`), as short as its loader has it."""
    scheme, colon, source = name.partition(":")
    return LOADERS[scheme].short_name(source) if colon and scheme in LOADERS.names() else name


def slug(name: str) -> str:
    """A name that a file or an id may have."""
    # 40 letters leave room for a prefix and an ending within the 255 bytes of a file's name.
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:40] or "unnamed"


def listed(words: list[str]) -> str:
    """An enumeration: `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
