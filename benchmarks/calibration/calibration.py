"""Calibration of the statistics on models with known causes: type I error, power, effects against interventions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchmarks.calibration.acceptance import DETECTION_SIZE, Claim, claims_of, correlations
from benchmarks.calibration.experiments import (
    SIZES,
    Agreement,
    Rejections,
    agreement,
    combine,
    detection,
    difference,
    type_one,
)
from benchmarks.calibration.interventions import Intervention, interventional_effects
from benchmarks.calibration.rendered_recording import Recording, passes, record_world
from joblib import Parallel, delayed

from video_tcav.core.checks import at_least
from video_tcav.core.errors import InputError
from video_tcav.core.files import write_json
from video_tcav.core.progress import progress_bar
from video_tcav.core.provenance import provenance
from video_tcav.core.tables import write_csv
from video_tcav.gram.cavs.registry import CAV_FITTERS, cav_fitter
from video_tcav.models import load_model
from video_tcav.rendered import rule_of
from video_tcav.rendered.factors import FACTORS
from video_tcav.rendered.models import rendered_names
from video_tcav.tcav.settings import PLACES

# Tasks into which one type I check is divided, and chunks of tasks a process, so that processes end at about one time.
_CHECK_TASKS, _CHUNKS = 8, 4
# CAVs whose type I error is measured for gradients at both places; of the others at class clips.
_BOTH_PLACES = ("mean",)
# The moving concept whose motion and order effects are tested on the first class of each rule.
_CONCEPT_OF_TWINS = {"motion": "swing", "scene": "swing", "object": "swing", "order": "sit down"}


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """All checks over all models.

    Attributes:
        rejections: how often each test rejects, by model, layer and CAV kind.
        agreements: TCAV beside interventions, for each model, class and factor value.
        provenance: versions, settings and models.
    """

    rejections: tuple[Rejections, ...]
    agreements: tuple[Agreement, ...]
    provenance: Mapping[str, Any]

    def rejections_frame(self) -> pd.DataFrame:
        """One row a test, model, layer, CAV kind and number of clips."""
        return pd.DataFrame([asdict(row) for row in self.rejections])

    def agreements_frame(self) -> pd.DataFrame:
        """One row a model, class and factor value."""
        return pd.DataFrame([asdict(row) for row in self.agreements])

    def correlations(self) -> dict[str, float]:
        """Agreement of TCAV with interventions, see `acceptance.correlations`."""
        return correlations(self.agreements)

    def claims(self) -> tuple[Claim, ...]:
        """The acceptance limits, and whether the numbers keep them."""
        return claims_of(self.rejections, self.agreements)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the JSON file."""
        return {
            "provenance": dict(self.provenance),
            "claims": [asdict(row) for row in self.claims()],
            "correlations": self.correlations(),
            "rejections": [asdict(row) for row in self.rejections],
            "agreements": [asdict(row) for row in self.agreements],
        }

    def write(self, folder: str | Path) -> None:
        """Write `calibration.json`, `rejections.csv` and `agreements.csv`."""
        root = Path(folder)
        write_json(root / "calibration.json", self.to_dict())
        for name, table in (("rejections", self.rejections_frame()), ("agreements", self.agreements_frame())):
            write_csv(root / f"{name}.csv", table)


def calibrate(
    models: Sequence[str] | None = None,
    *,
    draws: int = 1000,
    detection_draws: int = 100,
    pool_clips: int = 840,
    class_clips: int = 30,
    cavs: Sequence[str] | None = None,
    seed: int = 0,
    jobs: int = 2,
    progress: bool = False,
) -> Calibration:
    """Run all checks over models of the rendered world.

    Args:
        models: such as `rendered:r2plus1d-motion`; all of the package if not given.
        draws: of concept = random clips, for each model, layer and CAV kind.
        detection_draws: for each cause, number of clips and factor value.
        pool_clips: clips from which concept and random clips are drawn.
        class_clips: of each class.
        cavs: kinds of CAV for the type I error; all if not given.
        seed: of all clips and draws.
        jobs: processes for the statistics.
        progress: whether to show progress bars.

    Raises:
        InputError: for a model that is not of the rendered world, or no draws.
    """
    for name, number in (("draws", draws), ("detection_draws", detection_draws), ("jobs", jobs)):
        at_least(name, number, 1)
    kinds = [cav_fitter(kind).name for kind in dict.fromkeys(cavs or CAV_FITTERS.names())]
    names = list(dict.fromkeys(models or [f"rendered:{name}" for name in rendered_names()]))
    rules = [rule_of(rule_name(name)) for name in names]
    rejections: list[Rejections] = []
    agreements: list[Agreement] = []
    for name, rule in zip(names, rules, strict=True):
        model = load_model(name, device="cpu")
        values = sum(len(rule.motions()) if factor == "motion" else len(of) for factor, of in FACTORS.items())
        total = passes(rule, pool_clips, class_clips, len(rule.labels)) + values * class_clips * len(rule.labels)
        with progress_bar(f"{name} (clips)", total, visible=progress) as advance:
            recording = record_world(
                model, rule, pool_clips=pool_clips, class_clips=class_clips, seed=seed, advance=advance
            )
            truth = interventional_effects(model, recording, clips=class_clips, advance=advance)
        for at in PLACES:
            agreements += agreement(recording, at, truth)
        tasks = _tasks(recording, truth, draws=draws, detection_draws=detection_draws, cavs=kinds, seed=seed)
        numbered = list(enumerate(tasks))
        chunks = [numbered[start :: _CHUNKS * jobs] for start in range(min(len(tasks), _CHUNKS * jobs))]
        done: dict[int, list[Rejections]] = {}
        with progress_bar(f"{name} (checks)", len(tasks), visible=progress) as advance:
            for chunk_rows in Parallel(n_jobs=jobs, return_as="generator")(
                delayed(_run_tasks)(chunk) for chunk in chunks
            ):
                done |= chunk_rows or {}
                advance(len(chunk_rows or {}))
        rejections += [row for number in sorted(done) for row in done[number]]
    return Calibration(
        rejections=tuple(_merged(rejections)),
        agreements=tuple(agreements),
        provenance=provenance(
            settings={
                "draws": draws,
                "detection_draws": detection_draws,
                "pool_clips": pool_clips,
                "class_clips": class_clips,
                "cavs": list(kinds),
                "seed": seed,
            },
            models=names,
        ),
    )


Task = Callable[[], list[Rejections]]


def _tasks(
    recording: Recording,
    truth: Sequence[Intervention],
    *,
    draws: int,
    detection_draws: int,
    cavs: Sequence[str],
    seed: int,
) -> list[Task]:
    """Every check of one model as a call of its own, so that processes can share them; long ones are divided."""
    rule, count = recording.rule, min(_CHECK_TASKS, draws)
    sizes = [len(draws_of_task) for draws_of_task in np.array_split(np.arange(draws), count)]
    tasks: list[Task] = [
        partial(type_one, recording, kind, at, draws=size, seed=seed, chunk=number)
        for kind in cavs
        for at in (PLACES if kind in _BOTH_PLACES else PLACES[:1])
        for number, size in enumerate(sizes)
    ]
    options = {"draws": detection_draws, "seed": seed}
    causes = list(enumerate((rule.cause, value) for value in rule.classes.values()))
    nil = [
        (recording.targets.index(intervention.target), (intervention.factor, intervention.value))
        for intervention in truth
        if intervention.nil and intervention.factor != rule.cause
    ]
    moving = ("motion", _CONCEPT_OF_TWINS[rule.name])
    for at in PLACES:
        tasks += [
            partial(_single_check, detection, recording, "power", at, label, cause, size=size, **options)
            for label, cause in causes
            for size in SIZES
            if size <= len(recording.rows(*cause))
        ]
        tasks += [
            partial(
                _single_check,
                detection,
                recording,
                "non-cause",
                at,
                label,
                factor_value,
                size=DETECTION_SIZE,
                **options,
            )
            for label, factor_value in nil
        ]
        tasks += [
            partial(_single_check, difference, recording, quantity, at, 0, moving, **options)
            for quantity in ("motion effect", "order effect")
        ]
    return tasks


def _run_tasks(tasks: Sequence[tuple[int, Task]]) -> dict[int, list[Rejections]]:
    """Several checks, by their number, in one process, so that the recording is pickled once."""
    return {number: task() for number, task in tasks}


def _single_check(check: Callable[..., Rejections], *arguments: Any, **options: Any) -> list[Rejections]:
    return [check(*arguments, **options)]


def _merged(rows: Sequence[Rejections]) -> list[Rejections]:
    """Merge the rows of divided checks: their draws are independent."""
    together: dict[tuple[Any, ...], list[Rejections]] = {}
    for row in rows:
        where = (row.model, row.layer, row.cav, row.at, row.target)
        key = (row.what, row.test, row.concept, row.concept_clips, *where)
        together.setdefault(key, []).append(row)
    return [combine(group) for group in together.values()]


def rule_name(model: str) -> str:
    name = model.rpartition("-")[2]
    if not model.startswith("rendered:") or name not in _CONCEPT_OF_TWINS:
        raise InputError(
            f"`model` must be one of the rendered world. Got {model!r}. Write, for example, rendered:r2plus1d-motion."
        )
    return name
