"""The source paper's question with a known answer: two models say "playing tennis"; one reads the swing, one the court."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from video_tcav.core.progress import progress_bar
from video_tcav.demo.rendered_recording import passes, record_world
from video_tcav.demo.resampling import draw_nothing, paper_ttest, permutation_test, rejection_rate, seed_of
from video_tcav.gram.thresholds import LEVEL
from video_tcav.media import write_picture, write_video
from video_tcav.models import VideoModel, load_model
from video_tcav.prediction import Prediction, predict
from video_tcav.rendered import Factors, render, rule_of, sample_factors
from video_tcav.rendered.dataset import FPS
from video_tcav.rendered.factors import MOTIONS, OBJECTS, ORDERED, SCENES
from video_tcav.rendered.training import measure_accuracy
from video_tcav.tcav import ConceptResult, TcavResult, run_tcav
from video_tcav.tcav.settings import At
from video_tcav.tcav.wording import p_equals

TARGET = "playing tennis"
MODELS = {"A": "rendered:r2plus1d-motion", "B": "rendered:r2plus1d-scene"}
MARGIN = 0.5
"""A model relies on a concept whose effect is significant and at least this many log-odds."""
_CLASS_CLIPS, _CONCEPT_CLIPS, _RANDOM_CLIPS, _SWAPPED = 20, 24, 80, 60
_POOL, _MEANINGLESS_DRAWS, _RANDOM_SETS, _MEANINGLESS_SEED = 160, 200, 50, 10**4
_OTHER = {
    "motion": [name for name in MOTIONS if name != "swing" and name not in ORDERED],
    "object": [name for name in OBJECTS if name != "racket"],
    "scene": [name for name in SCENES if name != "court"],
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the tests say a model relies on, at its deepest stage.

    Attributes:
        concept: the concept with the largest effect that is significant and above the margin; `None` if there is none.
        effect: in log-odds.
        p_value: adjusted.
        moves: whether motion carries it: its motion effect is significant and at least half of the effect.
        motion_effect: the largest motion effect of any concept that is significant and above the margin; 0 if there is none.
        sentence: the same in words.
    """

    concept: str | None
    effect: float
    p_value: float
    moves: bool
    motion_effect: float
    sentence: str


@dataclass(frozen=True, kw_only=True)
class DemoModel:
    """One of the two models, and what was found out about it.

    Attributes:
        letter: A or B.
        spec: what `load_model` takes.
        predictions: of the tennis clips.
        called: how many of them it calls "playing tennis".
        off_court: fraction of clips with the swing away from the court that it calls "playing tennis".
        no_swing: fraction of clips on the court without a swing that it calls so.
        result: of Video-TCAV.
        verdict: what it relies on.
    """

    letter: str
    spec: str
    predictions: tuple[Prediction, ...]
    called: int
    off_court: float
    no_swing: float
    result: TcavResult
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Meaningless:
    """How often a concept of randomly chosen clips comes out as significant at the 5 % level.

    Attributes:
        draws: how many such concepts were drawn.
        ttest: fraction that the source paper's t-test calls significant.
        permutation: fraction that the permutation test does.
    """

    draws: int
    ttest: float
    permutation: float


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """Everything that the demo shows.

    Attributes:
        seed: of all clips and draws.
        folder: where its clips and tables are.
        models: A and B.
        meaningless: false alarms of both tests.
        shown: some clips of each set, by its name: `class`, each concept, `random`.
    """

    seed: int
    folder: Path
    models: tuple[DemoModel, ...]
    meaningless: Meaningless
    shown: Mapping[str, tuple[Factors, ...]]


def run_demo(folder: str | Path, *, seed: int = 0, progress: bool = False) -> DemoResult:
    """Render clips into `folder`, ask both models about them, and test what each relies on.

    Args:
        folder: where clips and tables go.
        seed: of clips and draws.
        progress: whether to show progress bars on standard error.

    Raises:
        OutputError: if the folder cannot be written to.
    """
    root = Path(folder)
    sets = demo_clips(seed)
    _write(root / "clips", sets, progress)
    models = {letter: load_model(spec, device="cpu") for letter, spec in MODELS.items()}
    return DemoResult(
        seed=seed,
        folder=root,
        models=tuple(_explain(letter, model, root, seed, progress) for letter, model in models.items()),
        meaningless=_meaningless(models["A"], seed, progress),
        shown={name: tuple(clips[:6]) for name, clips in sets.items()},
    )


def demo_clips(seed: int) -> dict[str, list[Factors]]:
    """Clips of the class, of each concept, and random ones. A concept differs from the random clips in one factor alone."""
    start = 1000 * seed

    def draw(count: int, number: int, **fixed: str) -> list[Factors]:
        return sample_factors(count, seed=start + number, **{**_OTHER, **fixed})  # pyright: ignore[reportArgumentType]

    return {
        "class": draw(_CLASS_CLIPS, 1, motion="swing", object="racket", scene="court"),
        "swing": draw(_CONCEPT_CLIPS, 2, motion="swing"),
        "wave": draw(_CONCEPT_CLIPS, 3, motion="wave"),
        "court": draw(_CONCEPT_CLIPS, 4, scene="court"),
        "racket": draw(_CONCEPT_CLIPS, 5, object="racket"),
        "random": draw(_RANDOM_CLIPS, 6),
    }


STILLS = ("court", "racket")
"""Concepts that the demo gives as pictures: the static ones."""


def _write(folder: Path, sets: Mapping[str, Sequence[Factors]], progress: bool) -> None:
    with progress_bar("rendering (clips)", sum(map(len, sets.values())), visible=progress) as advance:
        for name, clips in sets.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            for number, factors in enumerate(clips):
                found = render(factors).clip
                if name in STILLS:
                    write_picture(folder / name / f"{name}-{number:03d}.png", found[len(found) // 2])
                else:
                    write_video(folder / name / f"{number:03d}.mp4", found, fps=FPS)
                advance(1)


def _explain(letter: str, model: VideoModel, root: Path, seed: int, progress: bool) -> DemoModel:
    clips = root / "clips"
    predictions = predict(model, clips / "class", top=3, progress=progress).predictions
    result = run_tcav(
        model,
        target=TARGET,
        clips=clips / "class",
        concepts={name: clips / name for name in ("swing", "wave", "court", "racket")},
        random=clips / "random",
        twins=("frozen", "reversed"),
        seed=seed,
        out=root / f"model-{letter}",
        progress=progress,
    )
    off_court, no_swing = _swapped(model, seed)
    return DemoModel(
        letter=letter,
        spec=MODELS[letter],
        predictions=predictions,
        called=sum(one.labels[0].label == TARGET for one in predictions),
        off_court=off_court,
        no_swing=no_swing,
        result=result,
        verdict=verdict(result, model.default_layers[-1], f"Model {letter}"),
    )


def verdict(result: TcavResult, layer: str, name: str) -> Verdict:
    """Read from the results at one layer what a model relies on, and whether that is motion."""
    here = [one for one in result.results if one.layer == layer]
    counts = [one for one in here if one.twin == "none" and _counts(one)]
    motions = [one for one in here if one.twin == "motion"]
    moving = [one for one in motions if _counts(one)]
    motion = max((one.effect for one in moving), default=0.0)
    if not counts:
        words = f"{name} was not found to rely on any of these concepts."
        return Verdict(concept=None, effect=0.0, p_value=1.0, moves=False, motion_effect=motion, sentence=words)
    first = max(counts, key=lambda one: one.effect)
    own = [one for one in moving if one.concept == first.concept and one.effect >= first.effect / 2]
    what = f"the motion of the {first.concept}" if own else f"the {first.concept}"
    small = all(one.effect_high < MARGIN for one in motions)  # a large p alone would not say so
    rest = "" if moving else ", and on nothing that moves" if small else "; no motion was found to matter"
    words = f"{name} relies on {what} ({first.effect:+.1f} log-odds, p {p_equals(first.p_adjusted)}){rest}."
    return Verdict(
        concept=first.concept,
        effect=first.effect,
        p_value=first.p_adjusted,
        moves=bool(own),
        motion_effect=motion,
        sentence=words,
    )


def _counts(one: ConceptResult) -> bool:
    return one.p_adjusted <= LEVEL and one.effect >= MARGIN


def _swapped(model: VideoModel, seed: int) -> tuple[float, float]:
    """What the model says when the cause is taken away: the swing elsewhere, and the court without a swing."""
    label = model.class_index(TARGET)
    away = sample_factors(_SWAPPED, seed=1000 * seed + 51, motion="swing", object="racket", scene=_OTHER["scene"])
    other = sample_factors(
        _SWAPPED, seed=1000 * seed + 52, motion=_OTHER["motion"], object=_OTHER["object"], scene="court"
    )
    return measure_accuracy(model, away, [label] * _SWAPPED), measure_accuracy(model, other, [label] * _SWAPPED)


def _meaningless(model: VideoModel, seed: int, progress: bool) -> Meaningless:
    """Concepts that are nothing but random clips, tested both ways at the deepest stage."""
    rule, layer = rule_of("motion"), model.default_layers[-1]
    places: tuple[At, ...] = ("class",)
    total = passes(rule, _POOL, _CLASS_CLIPS, 1, twins=False, places=places)
    with progress_bar("meaningless concepts (clips)", total, visible=progress) as advance:
        recording = record_world(
            model,
            rule,
            pool_clips=_POOL,
            class_clips=_CLASS_CLIPS,
            seed=_MEANINGLESS_SEED + seed,
            targets=(TARGET,),
            twins=False,
            places=places,
            advance=advance,
        )
    grams = {layer: recording.grams["class"][layer][0]}
    generator = np.random.default_rng([seed, 41])
    papers, ours = [], []
    for _ in range(_MEANINGLESS_DRAWS):
        drawn = draw_nothing(len(recording.pool), _CONCEPT_CLIPS, 100, generator)
        papers.append(paper_ttest("mean", grams, drawn, sets=_RANDOM_SETS, seed=seed_of(generator))[layer])
        ours.append(permutation_test("mean", grams, drawn, permutations=199, seed=seed_of(generator))[layer])
    return Meaningless(draws=_MEANINGLESS_DRAWS, ttest=rejection_rate(papers), permutation=rejection_rate(ours))
