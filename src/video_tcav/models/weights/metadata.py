"""Class names and clip settings in the metadata of safetensors files."""

from typing import Any

from video_tcav.core.errors import InputError, WeightsError
from video_tcav.models.class_names import check_class_names, parse_class_names
from video_tcav.models.clip_fields import parse_clip_fields
from video_tcav.models.weights.loading import Weights


def metadata_classes(content: Weights | None) -> tuple[str, ...] | None:
    """Class names in the metadata of weights, checked as those of the user are; `None` without them.

    Raises:
        WeightsError: if they are no list of distinct names.
    """
    if content is None or "classes" not in content.metadata:
        return None
    try:
        source = f"the metadata of {content.path}"
        return check_class_names(parse_class_names(content.metadata["classes"], source), source)
    except InputError as reason:
        raise WeightsError(str(reason)) from reason


def metadata_fields(content: Weights | None) -> dict[str, Any]:
    """Clip settings in the metadata of weights; empty without them.

    Raises:
        WeightsError: if one cannot be read.
    """
    if content is None:
        return {}
    return parse_clip_fields(content.metadata, source=str(content.path), error=WeightsError)
