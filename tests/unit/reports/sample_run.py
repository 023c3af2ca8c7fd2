"""A finished run on disk, written by hand: no model, and the truth is known."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.numpy import save_file

from tests.unit.reports.samples import concept_result
from video_tcav.core.files import write_json
from video_tcav.experiments import Experiment, Outcome, Run, load_run
from video_tcav.experiments.example_clips import SALIENCY, ShownClip, TimedMap, save_shown
from video_tcav.experiments.previews import Preview
from video_tcav.media import write_picture, write_video
from video_tcav.tcav import ConceptResult
from video_tcav.tcav.interventions.effects import InterventionEffect

LAYERS = ("stages.0", "stages.1")
TIMES_S = np.arange(8) * 0.1 + 2.0
DISTANCE = 40.0
"""Effect of one unit of directional derivative."""
CLIPS = tuple(f"/home/someone/clips/tennis/{number}.mp4" for number in range(5))
VERDICTS = ("supported", "contradicted", "undecided", "not represented")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What to write."""

    title: str = "Did it see the swing?"
    description: str = "One paragraph.\n\nAnother."
    models: tuple[str, ...] = ("first net", "second net")
    concepts: tuple[str, ...] = ("swing/static", "swing/dynamic", "court", "nothing")
    twins: bool = True
    tests: tuple[str, ...] = ("studentised", "ttest")
    spaces: tuple[str, ...] = ("flatten",)
    cav: str = "mean"
    negatives: str = "frozen"
    shown: int = 2
    previews: int = 2
    size: int = 24
    windows: int = 1
    edits: tuple[InterventionEffect, ...] = ()
    steps: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    effects: dict[str, float] = field(default_factory=lambda: {"swing/dynamic": 3.0, "court": -1.5, "nothing": 0.01})


def write_run(folder: Path, sample: Sample = Sample()) -> Run:
    experiment = _experiment(sample)
    outcomes = [_outcome(number, sample) for number in range(len(VERDICTS))]
    number = 0
    for model in sample.models:
        for space in sample.spaces:
            for test in sample.tests:
                number += 1
                _write_analysis(folder / "analyses" / f"{number:03d}-{test}", sample, model, space, test)
    for place in range(sample.shown):
        (folder / "shown").mkdir(exist_ok=True)
        save_shown(folder / "shown", place + 1, _shown(sample, place))
    _write_previews(folder / "shown" / "previews", sample)
    write_json(folder / "hypotheses.json", [vars(one) for one in outcomes])
    (folder / "experiment.yaml").write_text(f"title: {sample.title}\n")
    provenance = {
        "video_tcav": "9.8.7",
        "python": "3.11.7",
        "packages": {"torch": "2.6.0"},
        "platform": "Linux",
        "created": "2031-02-03T04:05:06+00:00",
    }
    write_json(
        folder / "run.json",
        {
            "format": 1,
            "finished": True,
            "experiment": experiment.model_dump(mode="json"),
            "model_digests": dict.fromkeys(sample.models, "0123456789abcdef" * 4),
            "provenance": provenance,
        },
    )
    return load_run(folder)


def write_diagnostics(run: Run, kind: str, rows: list[dict]) -> None:
    for one in run.analyses:
        pd.DataFrame(rows).to_parquet(one.folder / f"diagnostics-{kind}.parquet")


def _experiment(sample: Sample) -> Experiment:
    about = {"concept": sample.concepts[1], "target": "playing tennis"}
    concepts = {name: "clips" for name in sample.concepts if "/" not in name}
    pairs = {name.split("/")[0] for name in sample.concepts if "/" in name}
    ordered = {name: {"static": "stills", "dynamic": "clips"} for name in sorted(pairs)} | concepts
    return Experiment.model_validate(
        {
            "title": sample.title,
            "description": sample.description,
            "models": dict.fromkeys(sample.models, "rendered:r2plus1d-motion"),
            "targets": {"playing tennis": "clips"},
            "concepts": ordered,
            "random": "clips",
            "twins": ["frozen", "reversed"] if sample.twins else [],
            "spaces": sample.spaces,
            "cav": sample.cav,
            "windows": sample.windows,
            "statistics": {"tests": sample.tests},
            "hypotheses": [{"matters": about, "model": sample.models[0]} for _ in VERDICTS],
        }
    )


def _outcome(number: int, sample: Sample) -> Outcome:
    verdict, effect = VERDICTS[number], (3.0, -1.5, 0.4, float("nan"))[number]
    concept = sample.concepts[1]
    return Outcome(
        number=number + 1,
        line=number + 5,
        name=f"Hypothesis {number + 1} of {concept}",
        claim=f"{concept} raises playing tennis",
        kind="matters",
        verdict=verdict,
        reason=f"the effect is {effect:+.2f} log-odds",
        model=sample.models[0],
        target="playing tennis",
        concept=concept,
        than="",
        layer=LAYERS[-1],
        expect="positive",
        margin=0.5,
        effect=effect,
        effect_low=effect - 0.6,
        effect_high=effect + 0.6,
        standard_error=0.3,
        p_value=0.0001,
        p_adjusted=0.0004,
        equivalence_p=1.0,
        equivalence_p_adjusted=1.0,
        represented=verdict != "not represented",
        concept_clips=24,
        more_clips=31 if verdict == "undecided" else None,
        family="all",
    )


def _results(sample: Sample, space: str, test: str) -> list[ConceptResult]:
    found = []
    for concept in sample.concepts:
        moves = concept.endswith("dynamic")
        for twin in ("none", "frozen", "reversed", "motion", "order") if sample.twins and moves else ("none",):
            for layer in LAYERS:
                effect = sample.effects.get(concept, 0.2) * {"frozen": 0.0, "order": 0.0}.get(twin, 1.0)
                one = concept_result(concept, twin, layer, effect, moves=moves)
                found.append(
                    replace(
                        one,
                        space=space,
                        cav=sample.cav,
                        significance=test,
                        tcav_magnitude=effect / DISTANCE,
                        p_adjusted=0.0001 if test == "ttest" else 0.001 if abs(effect) >= 1 else 0.4,
                        represented=concept != "nothing",
                        n_concept_groups=7 if concept == "court" else 24,
                        **_step(sample, concept, twin, layer),
                        negatives=sample.negatives if one.negatives == "frozen" else one.negatives,
                    )
                )
    return found


def _step(sample: Sample, concept: str, twin: str, layer: str) -> dict[str, float]:
    """The step of a concept as it is at the deepest layer, with its interval."""
    if twin != "none" or layer != LAYERS[-1] or concept not in sample.steps:
        return {}
    return dict(zip(("step", "step_low", "step_high"), sample.steps[concept], strict=True))


def _write_analysis(folder: Path, sample: Sample, model: str, space: str, test: str) -> None:
    folder.mkdir(parents=True)
    results = _results(sample, space, test)
    clips = [[clip, window] for clip in CLIPS for window in range(sample.windows)]
    draws: dict[str, np.ndarray] = {}
    for number, one in enumerate(results):
        draws[f"{number}.by_clip"] = one.effect + np.arange(len(clips)) * 0.1
        draws[f"{number}.null"] = draws[f"{number}.bootstrap"] = np.zeros(3)
    save_file(draws, folder / "draws.safetensors")
    pd.DataFrame([asdict(one) for one in results]).to_parquet(folder / "results.parquet")
    which = {"model": model, "target": "playing tennis", "space": space, "test": test}
    facts = {
        "clips": clips,
        "class_groups": len(CLIPS),
        "remarks": [],
    }
    write_json(folder / "analysis.json", {**which, **facts})
    record = {
        "provenance": {"settings": {"seed": 0}, "clips": {}, "clip_spec": {"frames": 8, "stride": 1, "size": [24, 24]}},
        "warnings": ["A warning of the analysis."],
        "skipped": [],
        "interventions": [asdict(effect) for effect in sample.edits],
    }
    write_json(folder / "results.json", record)


def _shown(sample: Sample, place: int) -> ShownClip:
    generator = torch.Generator().manual_seed(place)
    shape = (len(TIMES_S), sample.size, sample.size)
    frames = torch.randint(0, 256, (len(TIMES_S), 3, sample.size, sample.size), generator=generator, dtype=torch.uint8)
    concepts = [name for name in sample.concepts if name in sample.effects]
    lines = {name: np.array([0.1, 0.2, 0.5, 0.2]) * sample.effects[name] / DISTANCE for name in concepts}

    def timed(name: str, line: np.ndarray) -> TimedMap:
        values = torch.zeros(shape, dtype=torch.int8)
        values[:, : sample.size // 2] = 127 if line.sum() > 0 else -127
        return TimedMap(name=name, values=values, scale=abs(float(line.sum())) / 100, line=line, line_s=TIMES_S[::2])

    return ShownClip(
        model=sample.models[place % len(sample.models)],
        target="playing tennis",
        clip=CLIPS[place // sample.windows],
        window=place % sample.windows,
        layer=LAYERS[-1],
        value=1.0,
        probability=0.75,
        why=f"{concepts[0]} mattered most",
        effects={name: float(sample.effects[name]) for name in concepts},
        times_s=TIMES_S,
        frames=frames,
        concepts=tuple(timed(name, line) for name, line in lines.items()),
        attribution=timed(SALIENCY, np.array([0.1, 0.2, 0.3, 0.4])),
    )


def _write_previews(folder: Path, sample: Sample) -> None:
    folder.mkdir(parents=True)
    sets = [("target", "playing tennis"), *(("concept", name) for name in sample.concepts), ("random", "random")]
    found = []
    for role, name in sets:
        for _ in range(sample.previews):
            number, moves = len(found), not name.endswith("static")
            generator = torch.Generator().manual_seed(number)
            frames = torch.randint(0, 256, (4, 3, sample.size, sample.size), generator=generator, dtype=torch.uint8)
            file = f"{number:03d}.{'mp4' if moves else 'png'}"
            if moves:
                write_video(folder / file, frames, fps=10)
            else:
                write_picture(folder / file, frames[0])
            found.append(
                Preview(role=role, name=name, clip=f"/home/someone/{name}/{number}.mp4", file=file, moves=moves)
            )
    write_json(folder / "previews.json", [asdict(one) for one in found])
