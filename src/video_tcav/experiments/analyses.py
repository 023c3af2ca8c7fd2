"""One analysis of an experiment as files: results and draws for one model, target, feature space and test."""

import math
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from pydantic import TypeAdapter
from safetensors.numpy import load_file, save_file

from video_tcav.core.files import atomic_path, read_json, write_json
from video_tcav.core.tables import write_parquet
from video_tcav.experiments.digests import RESUME, damage_reported
from video_tcav.gram.resampling import standard_error
from video_tcav.recording.feature_spaces import Space
from video_tcav.tcav import ConceptResult, EffectCheck, PairedEffects, TcavResult, sentences
from video_tcav.tcav.completeness import RunCompleteness
from video_tcav.tcav.concept_result import COLUMNS
from video_tcav.tcav.diagnostics import warnings as remarks_on
from video_tcav.tcav.interventions.effects import InterventionEffect, effects_frame

Draws = Float[np.ndarray, " draw"]
# Characters of a folder's name: file systems allow 255 bytes, and paths on Windows 260 characters in all.
_MOST_NAME = 100
_KEYS = ("model", "target", "space", "test")
PAIRS = "pairs.json"
"""The file of an analysis that holds what pairs show."""
_COMPLETENESS = TypeAdapter(RunCompleteness)


def numbered_name(number: int, words: str) -> str:
    """A readable name of a folder that is valid in every file system."""
    return f"{number:03d}-{re.sub(r'[^A-Za-z0-9.]+', '_', words)[:_MOST_NAME]}"


@dataclass(frozen=True, kw_only=True)
class AnalysisKey:
    """What an analysis is of: a model by its name in the experiment, a class, a feature space, and a significance test."""

    model: str
    target: str
    space: Space
    test: str

    def folder_name(self, number: int) -> str:
        """A readable name that is valid in every file system."""
        return numbered_name(number, "-".join((self.model, self.target, self.space, self.test)))


@dataclass(frozen=True, kw_only=True)
class StoredResult:
    """One result with its draws."""

    result: ConceptResult
    by_clip: Draws
    null: Draws
    bootstrap: Draws


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """One analysis, as its folder holds it.

    Attributes:
        which: what was analysed.
        folder: where.
        found: every result, in order.
        clips: class clips, in the order of `by_clip`: the source's key and the window.
        class_groups: independent groups among them.
        has_group_weights: whether each group of clips has bootstrap weights of its own; not in runs of version 0.1.
        remarks: warnings of its diagnostics on some of its CAVs and effects.
        record: warnings, skipped files, provenance and seconds, as in `results.json`.
        effect_check: how far effects predict edits of the class clips; `None` where that was not measured.
        interventions: every operation that was made; none in runs of versions without them.
        pairs: what pairs of clips with and without a concept show, by concept; only in the analyses that judge hypotheses.
    """

    which: AnalysisKey
    folder: Path
    found: tuple[StoredResult, ...]
    clips: tuple[tuple[str, int], ...]
    class_groups: int
    has_group_weights: bool
    remarks: tuple[str, ...]
    record: Mapping[str, Any]
    effect_check: EffectCheck | None = None
    interventions: tuple[InterventionEffect, ...] = ()
    pairs: Mapping[str, PairedEffects] = field(default_factory=dict)

    def get(self, concept: str, layer: str, *, versus: str = "random", twin: str = "none") -> StoredResult | None:
        """The result of one concept at one layer, if there is one."""
        key = (concept, layer, versus, twin)
        rows = ((stored, stored.result) for stored in self.found)
        return next((stored for stored, row in rows if (row.concept, row.layer, row.versus, row.twin) == key), None)

    def diagnostics(self) -> dict[str, pd.DataFrame]:
        """Tables of the diagnostics, by name: see `tcav.diagnose`.

        Raises:
            ExperimentError: if a file is damaged.
        """
        files = sorted(self.folder.glob("diagnostics-*.parquet"))
        with _damage_reported(self.folder):
            return {path.stem.removeprefix("diagnostics-"): pd.read_parquet(path) for path in files}

    def sentences(self) -> tuple[str, ...]:
        """One for each concept, and how much they explain together, as `test` prints them."""
        together = self.record.get("completeness")
        concepts = sentences([stored.result for stored in self.found], self.effect_check)
        return concepts if together is None else (*concepts, together["sentence"])

    def completeness(self) -> RunCompleteness | None:
        """How much the concepts explain together; `None` where that was not measured.

        Raises:
            ExperimentError: if it is damaged.
        """
        stored = self.record.get("completeness")
        if stored is None or "layer" not in stored:
            return None
        with _damage_reported(self.folder):
            return _COMPLETENESS.validate_python(stored)

    def edited(self, concept: str, layer: str, operation: str, *, twin: str = "none") -> InterventionEffect | None:
        """One operation along the CAV of one concept against random clips, if it was made."""
        key = (concept, layer, operation, twin, "random")
        rows = ((row, (row.concept, row.layer, row.operation, row.twin, row.versus)) for row in self.interventions)
        return next((row for row, names in rows if names == key), None)

    def interventions_frame(self) -> pd.DataFrame:
        """One row an operation, with what the analysis is of; no rows where none was made."""
        frame = effects_frame(self.interventions)
        for position, name in enumerate(_KEYS):
            frame.insert(position, name, getattr(self.which, name))
        return frame

    def to_frame(self) -> pd.DataFrame:
        """One row a result, with the model's name in the experiment."""
        frame = pd.DataFrame([asdict(stored.result) for stored in self.found], columns=list(COLUMNS))
        frame.insert(0, "model", self.which.model)
        return frame


def save_analysis(folder: Path, key: AnalysisKey, result: TcavResult) -> None:
    """Add to the files of `run_tcav` in `folder` what `load_analysis` needs: draws, effects by clip, diagnostics."""
    assert result.detail is not None
    # safetensors needs contiguous arrays with flat names: the number of the result, then of the draws.
    arrays: dict[str, np.ndarray] = {}
    for number, draws in enumerate(result.detail.draws.values()):
        for name in ("by_clip", "null", "bootstrap"):
            arrays[f"{number}.{name}"] = np.ascontiguousarray(getattr(draws, name), dtype=np.float64)
    with atomic_path(folder / "draws.safetensors") as temporary:
        save_file(arrays, temporary)
    write_parquet(folder / "clip_effects.parquet", result.detail.clip_frame())
    for name, frame in result.detail.diagnostics.to_frames().items():
        write_parquet(folder / f"diagnostics-{name}.parquet", frame)
    # JSON has no tuples; what is read back is a list.
    clips = [[clip.source, clip.window] for clip in result.detail.class_clips]
    facts = {"clips": clips, "class_groups": result.detail.n_class_groups}
    write_json(folder / "analysis.json", {**asdict(key), **facts, "remarks": remarks_on(result.detail.diagnostics)})


def load_analysis(folder: Path) -> Analysis:
    """Read an analysis.

    Raises:
        ExperimentError: if a file is missing or damaged.
    """
    with _damage_reported(folder):
        about = read_json(folder / "analysis.json")
        record = read_json(folder / "results.json")
        frame = pd.read_parquet(folder / "results.parquet")
        draws = load_file(folder / "draws.safetensors")
        _check_facts(about, record)
        is_old = "standard_error" not in frame
        rows = (_current_columns(frame, draws, int(about["class_groups"])) if is_old else frame).to_dict("records")
        stored = tuple(
            StoredResult(
                result=ConceptResult(**{str(name): value for name, value in row.items()}),
                by_clip=draws[f"{number}.by_clip"],
                null=draws[f"{number}.null"],
                bootstrap=draws[f"{number}.bootstrap"],
            )
            for number, row in enumerate(rows)
        )
        return Analysis(
            which=AnalysisKey(**{name: about[name] for name in _KEYS}),
            folder=folder,
            found=stored,
            clips=tuple((str(source), int(window)) for source, window in about["clips"]),
            class_groups=int(about["class_groups"]),
            has_group_weights=not is_old,
            remarks=tuple(about["remarks"]),
            record=record,
            effect_check=effect_check_of(record),
            interventions=read_interventions(record),
            pairs=_read_pairs(folder / PAIRS),
        )


def _read_pairs(path: Path) -> dict[str, PairedEffects]:
    """What pairs show, by concept; nothing where none were measured."""
    stored = read_json(path)["pairs"] if path.exists() else {}
    return {str(concept): PairedEffects.from_dict(measured) for concept, measured in stored.items()}


def effect_check_of(record: Mapping[str, Any]) -> EffectCheck | None:
    """The effect check that `results.json` holds; those of older versions have none."""
    values = record.get("effect_check")
    return None if values is None else EffectCheck.from_dict(values)


def read_interventions(record: Mapping[str, Any]) -> tuple[InterventionEffect, ...]:
    """Every operation of a result as `results.json` has it, where JSON has null for NaN; none before there were any."""
    rows: list[dict[str, Any]] = [
        {name: math.nan if value is None else value for name, value in row.items()}
        for row in record.get("interventions", ())
    ]
    return tuple(InterventionEffect(**row) for row in rows)


def _current_columns(frame: pd.DataFrame, draws: Mapping[str, np.ndarray], class_groups: int) -> pd.DataFrame:
    """A table of version 0.1 with the columns of today; what it did not measure is NaN.

    Its accuracy and the p of it become no `cav_auc` and `p_represented`, which are other measures. `represented` is what it
    concluded from them.
    """
    random_groups = frame["n_groups"] - frame["n_concept_groups"]
    fewest = np.maximum(2, np.minimum(np.minimum(frame["n_concept_groups"], random_groups), class_groups))
    errors = [standard_error(draws[f"{number}.bootstrap"], groups) for number, groups in enumerate(fewest)]
    families = frame.groupby(["twin", frame["versus"] == "random"], sort=False)["p_value"].transform("size")
    columns = {"standard_error": errors, "fewest_groups": fewest, "freedom": fewest - 1.0, "family_size": families}
    unmeasured = ("p_perm", "p_t", "cav_auc", "p_represented", "region_auc", "p_region")
    return frame.drop(columns=["cav_accuracy", "cav_p_value"]).assign(**columns, **dict.fromkeys(unmeasured, math.nan))


def _damage_reported(folder: Path) -> AbstractContextManager[None]:
    return damage_reported(folder, f"Delete the folder {RESUME}")


def _check_facts(about: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    """Refuse values of a type that readers of an analysis do not expect."""
    texts = [*(about[name] for name in _KEYS), *about["remarks"], *record["warnings"]]
    if "completeness" in record:
        texts.append(record["completeness"]["sentence"])
    if not all(isinstance(text, str) for text in texts) or not isinstance(
        record["provenance"].get("clips", {}), Mapping
    ):
        raise ValueError("values of other types")
