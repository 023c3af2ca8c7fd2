"""Names in an experiment file that must be those of something else in it, with the closest one where they are not."""

import difflib
from collections.abc import Iterable, Iterator

from video_tcav.core.limits import shortened
from video_tcav.core.yaml_lines import YamlPath

# Names among which difflib looks for a similar one: each takes some 50 microseconds.
_COMPARED = 500


def check_name(key: str, value: str, allowed: Iterable[str], path: YamlPath) -> Iterator[tuple[YamlPath, str]]:
    """The mistake of a name that is none of the allowed ones, with its path; nothing where it is."""
    names = list(allowed)  # of a mapping, too
    if value not in names:
        near = difflib.get_close_matches(value, names[:_COMPARED], n=1, cutoff=0.6)
        hint = f"Did you mean {near[0]}?" if near else f"Choose one of {shortened(names)}, or add it there."
        yield path, f"`{key}` must be one that the experiment names. Got {value!r}. {hint}"
