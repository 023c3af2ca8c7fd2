"""Names of clips, models and files, short enough for a page and without the folders of the machine."""

import re


def short_clip(clip: str) -> str:
    """The last folder and the file of a clip's path."""
    return "/".join(re.split(r"[/\\]", clip)[-2:])


def short_model(name: str) -> str:
    """A model's name; where that is a path (`file:…`, `hf:…`), the end of it."""
    scheme, colon, path = name.partition(":")
    return re.split(r"[/\\]", path)[-1] if colon and scheme in ("file", "hf") else name


def slug(name: str) -> str:
    """A name that a file or an id may have."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:40] or "unnamed"


def listed(words: list[str]) -> str:
    """An enumeration: `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
