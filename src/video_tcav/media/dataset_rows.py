"""Rows of a `datasets.Dataset` of Hugging Face as sources, recognised by its methods: the package is not needed."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from video_tcav.core.errors import InputError, SourceError
from video_tcav.core.limits import excerpt, shortened
from video_tcav.core.text_files import plain_name
from video_tcav.media.encoded_clips import EncodedSource
from video_tcav.media.files import VideoSource, kind_of
from video_tcav.media.manifest import refuse_misnamed_times

_BINARY = ("binary", "large_binary")
_PATHS = ("path", "video", "file_name")
_LABELS = ("label", "labels")


def is_dataset(clips: Any) -> bool:
    """Whether a value is a `Dataset` or `IterableDataset`."""
    return hasattr(clips, "cast_column") and hasattr(clips, "features") and not isinstance(clips, Mapping)


def dataset_sources(dataset: Any, default_names: Iterator[str]) -> Iterator[VideoSource]:
    """Sources of the rows, in their order: files by their path, and bytes as clips in memory.

    Args:
        dataset: with a column of videos (feature `Video`), of bytes, or a text column `path`, `video` or `file_name`; and
            optionally `label` (names of a `ClassLabel`), `start_s`, `end_s`, `group` and `pair`, as in manifests.
        default_names: of rows whose video has no name.

    Raises:
        SourceError: if no column, or several, can be the videos, times have other names, or a row has no video.
    """
    features = dataset.features
    if not isinstance(features, Mapping):
        raise SourceError(
            "`clips` must be a dataset with known features. Got one without. Use `cast` with its features."
        )
    column = _video_column(features)
    refuse_misnamed_times("clips", features)
    label = next((name for name in _LABELS if name in features), None)
    columns = [column, *([label] if label else []), *(name for name in _FIELDS if name in features)]
    feature = features[column]
    if type(feature).__name__ == "Video":  # as bytes or a path: the package's own decoders need FFmpeg's libraries
        dataset = dataset.cast_column(column, type(feature)(decode=False))
    # a ClassLabel is stored as its number, which means another class to a model with another order
    names = getattr(features[label], "names", None) if label else None
    for number, row in enumerate(dataset.select_columns(columns).with_format(None)):  # not as tensors
        fields = {name: convert(row[name]) for name, convert in _FIELDS.items() if row.get(name) not in (None, "")}
        try:
            yield _row_source(row[column], _label(row[label], names) if label else None, default_names, fields)
        except (InputError, ValueError, TypeError) as error:
            raise SourceError(f"`clips`, row {number} of the dataset, cannot be used: {error}") from error


def refuse_mapping(clips: Mapping[Any, Any]) -> None:
    """Refuse a mapping, whose keys would be taken for paths."""
    keys = shortened([str(key) for key in clips], 10)
    if any(is_dataset(value) for value in clips.values()):
        raise SourceError(f"`clips` must be one split of a dataset. Got all of them: {keys}. Give one, as `splits[…]`.")
    raise SourceError(f"`clips` must be paths, arrays or datasets. Got a mapping with {keys}. Give its values.")


def _name(value: Any) -> str | None:
    return plain_name(str(value)) or None


_FIELDS = {"start_s": float, "end_s": float, "group": _name, "pair": _name}


def _video_column(features: Mapping[str, Any]) -> str:
    candidates: Sequence[list[str]] = (
        [name for name, feature in features.items() if type(feature).__name__ == "Video"],
        [name for name, feature in features.items() if getattr(feature, "dtype", None) in _BINARY],
        [name for name in _PATHS if name in features and getattr(features[name], "dtype", None) == "string"],
    )
    columns = next((names for names in candidates if names), [])
    if len(columns) != 1:
        several = f"{len(columns)} of them: {', '.join(columns)}" if columns else f"the columns {', '.join(features)}"
        raise SourceError(
            f"`clips` must be a dataset with one column of videos or bytes. Got {several}. Choose it with `select_columns`."
        )
    return columns[0]


def _row_source(value: Any, label: str | None, default_names: Iterator[str], fields: dict[str, Any]) -> VideoSource:
    content = value.get("bytes") if isinstance(value, Mapping) else value if isinstance(value, bytes) else None
    path = value.get("path") if isinstance(value, Mapping) else value if isinstance(value, str) else None
    if content is not None:
        name = str(path) if path else next(default_names)  # the path of where the bytes once were
        return EncodedSource(path=Path(name), kind="video", label=label, content=bytes(content), **fields)
    if not path:
        raise InputError(f"`video` must be bytes or a path. Got {excerpt(value)}. Leave the row out.")
    return VideoSource(path=Path(path), kind=kind_of(Path(path)) or "video", label=label, **fields)


def _label(value: Any, names: Sequence[str] | None) -> str | None:
    if value is None or (names and value == -1):  # of a test set
        return None
    if isinstance(value, list | tuple):
        raise InputError(f"`label` must be one label. Got {excerpt(value)}. Choose one with `map`.")
    return _name(names[value] if names else value)
