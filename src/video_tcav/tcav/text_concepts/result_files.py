"""Reading back results of concepts in words: the folder that `TextTcavResult.save` wrote."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from video_tcav.core.errors import InputError
from video_tcav.core.files import read_json
from video_tcav.core.tables import TABLE_DAMAGE
from video_tcav.media import Skipped
from video_tcav.tcav.text_concepts.result import TextConceptResult, TextConstants, TextTcavResult


def load_text_results(folder: str | Path) -> TextTcavResult:
    """Read what `run_text_tcav(…, out=folder)` wrote.

    Raises:
        InputError: if the folder holds no such result, or its file is damaged.
    """
    path = Path(folder) / "text_results.json"
    try:
        content = read_json(path)
        return TextTcavResult(
            constants=TextConstants(**content["constants"]),
            results=tuple(map(_row, content["text_results"])),
            skipped=tuple(Skipped(**each) for each in content["skipped"]),
            warnings=tuple(content["warnings"]),
            provenance=content["provenance"],
        )
    except TABLE_DAMAGE as error:
        raise InputError(
            f"`folder` must hold results of concepts in words. Got {path}: {type(error).__name__}: {error}. Run words with --out "
            "again."
        ) from error


def _row(row: Mapping[str, Any]) -> TextConceptResult:
    # JSON has null for what is no number: the figures of clips where none checked a text
    numbers = {item.name for item in fields(TextConceptResult) if item.type is float}
    values: dict[str, Any] = {
        name: float("nan") if value is None and name in numbers else value for name, value in row.items()
    }
    return TextConceptResult(**values)
