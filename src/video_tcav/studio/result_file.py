"""Untrusted files of results: rows with the fields of `ConceptResult`, and their figures in words."""

import math
from functools import cached_property
from typing import Annotated, Any, get_type_hints

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from video_tcav.core.errors import VideoTcavError
from video_tcav.tcav import ConceptResult
from video_tcav.tcav.wording import MINUS, effect_text, p_equals, p_with_family, represented_text, units, warning_prefix

Text = Annotated[str, Field(max_length=4096)]
Number = Annotated[
    float | None, AfterValidator(lambda value: value if value is not None and math.isfinite(value) else None)
]

_REQUIRED = frozenset({"target", "concept", "layer", "represented", "effect", "p_adjusted"})
# what files of other tools mean that leave it out
_DEFAULTS = {"versus": "random", "twin": "none", "against": "log_odds", "at": "class"} | {
    "significance": "permutation",
    "correction": "none",
}
_TYPES: dict[Any, Any] = {bool: bool, int: int | None, float: Number}  # all others are names


class _Lenient(BaseModel):
    """What a file may hold beside is ignored: it may be of a newer version."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Model(_Lenient):
    name: Text = ""


class _Provenance(_Lenient):
    created: Text = ""
    model: _Model = _Model()
    clips: dict[str, dict[str, str | None]] = {}


_COLUMNS: dict[str, Any] = {
    name: (_TYPES.get(kind, Text), ... if name in _REQUIRED else _DEFAULTS.get(name, None if kind in _TYPES else ""))
    for name, kind in get_type_hints(ConceptResult).items()
}
_OLD_COLUMNS: dict[str, Any] = {"cav_accuracy": (Number, None)}  # of version 0.1, in place of `cav_auc`
_Row: Any = create_model("_Row", __base__=_Lenient, **_COLUMNS, **_OLD_COLUMNS)


class ResultFile(_Lenient):
    """A file of results, as far as the studio shows it."""

    provenance: _Provenance
    warnings: list[Text] = []
    results: Annotated[list[_Row], Field(max_length=20_000)]

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Results by the fields of `ConceptResult`, with `words`; a number that is missing or not finite is `None`."""
        return [row | {"words": _words(row)} for row in (row.model_dump() for row in self.results)]


def _words(row: dict[str, Any]) -> dict[str, str]:
    """Figures of a row as all pages print them."""
    effect, interval = "no number", ""
    if row["effect"] is not None:
        limits = {name: row["effect"] if row[name] is None else row[name] for name in ("effect_low", "effect_high")}
        effect, interval = (text.replace("-", MINUS) for text in effect_text(_result(row | limits)))
        if None in (row["effect_low"], row["effect_high"]):
            interval = ""
    return {
        "effect": effect,
        "interval": interval,
        "unit": units(row["against"]),
        "p": _p_words(row),
        "cav": _cav_words(row),
    }


def _result(row: dict[str, Any]) -> ConceptResult:
    return ConceptResult(**{name: value for name, value in row.items() if name not in _OLD_COLUMNS})


def _cav_words(row: dict[str, Any]) -> str:
    """How well the CAV tells clips apart: AUC, or the accuracy in files of version 0.1; and where it does not."""
    figures = [
        f"{name} {row[column]:.2f}"
        for name, column in (("AUC", "cav_auc"), ("accuracy", "cav_accuracy"))
        if row[column] is not None
    ]
    if not row["represented"]:
        region_auc, p_region = (math.nan if row[name] is None else row[name] for name in ("region_auc", "p_region"))
        text = represented_text(False, region_auc, p_region)
        figures.append("not represented" if text == "no" else text)
    return ", ".join(figures)


def _p_words(row: dict[str, Any]) -> str:
    if row["p_adjusted"] is None:
        return "no p"
    try:
        prefix = warning_prefix(row["significance"])
    except VideoTcavError:  # a test of a package that is not installed here
        prefix = f"{row['significance']}, "
    if row["family_size"] is None:  # in files of version 0.1
        return f"{prefix}{'p' if row['correction'] == 'none' else 'adjusted p'} {p_equals(row['p_adjusted'])}"
    return f"{prefix}{p_with_family(_result(row))}"
