"""Class names in the configurations of Hugging Face models."""

from collections.abc import Mapping
from typing import Any

from video_tcav.core.errors import InputError, ModelError
from video_tcav.models.class_names import check_class_names


def check_labels(settings: Mapping[str, Any], source: str, *, named: bool) -> None:
    """Refuse an `id2label` that is no list of distinct names for the outputs 0, 1, 2 and so on.

    Args:
        settings: content of config.json.
        source: what the model is called.
        named: whether the user gives names, so that those of the configuration are not used.

    Raises:
        ModelError: naming what is wrong.
    """
    labels, number = settings.get("id2label"), settings.get("num_labels")
    if labels is None:
        return
    if not isinstance(labels, Mapping) or not labels:
        raise _wrong(source, f"{type(labels).__name__} {labels!r}"[:80])
    ids = sorted(_index(index, source) for index in labels)
    if ids != list(range(len(ids))):
        raise _wrong(source, f"the numbers {', '.join(map(str, ids[:4]))}{', ...' if len(ids) > 4 else ''}")
    if isinstance(number, int) and number != len(ids):
        raise _wrong(source, f"{len(ids)} names where num_labels is {number}")
    if named:
        return
    others = [name for name in labels.values() if not isinstance(name, str)]
    if others:
        raise _wrong(source, f"the name {others[0]!r}, which is no text")
    try:
        check_class_names(tuple(labels.values()), f"id2label of {source}")
    except InputError as reason:
        raise ModelError(f"{str(reason).removesuffix(' Correct the list.')} Correct it, or give --classes.") from reason


def _index(key: object, source: str) -> int:
    text = str(key)
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or str(int(text)) != text:
        raise _wrong(source, f"the key {key!r}")
    return int(text)


def _wrong(source: str, value: str) -> ModelError:
    return ModelError(
        f"`id2label` in config.json of {source} must give each output, numbered from 0 on, a name. Got {value}. Correct it."
    )
