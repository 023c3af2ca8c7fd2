"""A demonstration with known causes: two models say "playing tennis"; one reads the swing, one the court."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from video_tcav.core.progress import progress_bar
from video_tcav.demo.false_alarms import false_alarms
from video_tcav.explanation import Explanation, explain
from video_tcav.gram.thresholds import LEVEL
from video_tcav.media import write_picture, write_video
from video_tcav.models import VideoModel, load_model
from video_tcav.prediction import Prediction, predict
from video_tcav.rendered import Factors, render, sample_factors
from video_tcav.rendered.dataset import FPS
from video_tcav.rendered.factors import MOTIONS, OBJECTS, ORDERED, SCENES
from video_tcav.rendered.training import measure_accuracy
from video_tcav.tcav import ConceptResult, TcavResult, run_tcav
from video_tcav.tcav.wording import p_equals, tests_text

TARGET = "playing tennis"
MODELS = {"A": "rendered:r2plus1d-motion", "B": "rendered:r2plus1d-scene"}
# A model relies on a concept whose effect is significant and at least this many log-odds.
MARGIN = 0.5
MAP_METHOD = "hirescam"
# Numbers of clips: enough for both models' causes to be significant, and few enough for a demo.
_CLASS_CLIPS, _CONCEPT_CLIPS, _RANDOM_CLIPS, _SWAPPED = 20, 24, 80, 60
_MEANINGLESS_DRAWS = 200
_OTHER = {
    "motion": [name for name in MOTIONS if name != "swing" and name not in ORDERED],
    "object": [name for name in OBJECTS if name != "racket"],
    "scene": [name for name in SCENES if name != "court"],
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The concept that a model relies on at its deepest stage, by the tests.

    Attributes:
        concept: the concept with the largest effect that is significant and above the margin; `None` if there is none.
        effect: in log-odds.
        p_value: adjusted.
        moves: whether it relies on the concept's motion: its motion effect is significant and at least half of the effect.
        motion_effect: the largest motion effect of any concept that is significant and above the margin; 0 if there is none.
        sentence: the verdict in words.
    """

    concept: str | None
    effect: float
    p_value: float
    moves: bool
    motion_effect: float
    sentence: str


@dataclass(frozen=True, kw_only=True)
class DemoModel:
    """One of the two models, with its predictions and effects.

    Attributes:
        letter: A or B.
        spec: its name for `load_model`.
        predictions: of the tennis clips.
        called: how many of them it calls "playing tennis".
        off_court: fraction of clips with the swing away from the court that it calls "playing tennis".
        no_swing: fraction of clips on the court without a swing that it calls so.
        result: of Video-TCAV.
        verdict: the concept that it relies on.
        explanation: where and when it looked in the first tennis clip.
    """

    letter: str
    spec: str
    predictions: tuple[Prediction, ...]
    called: int
    off_court: float
    no_swing: float
    result: TcavResult
    verdict: Verdict
    explanation: Explanation


@dataclass(frozen=True, kw_only=True)
class Meaningless:
    """How often a concept of randomly chosen clips comes out as significant at the 5 % level.

    Attributes:
        draws: how many such concepts were drawn.
        ttest: fraction that the source paper's t-test calls significant.
        permutation: fraction that the plain permutation test does.
        studentised: fraction that the default test does.
    """

    draws: int
    ttest: float
    permutation: float
    studentised: float


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """The results of the demo.

    Attributes:
        seed: of all clips and draws.
        folder: where its clips and tables are.
        models: A and B.
        meaningless: false alarms of each test.
        shown: example clips of each set, by its name: `class`, each concept, `random`.
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
    explained = tuple(_explain(letter, model, root, seed, progress) for letter, model in models.items())
    alarms = false_alarms(models["A"], TARGET, draws=_MEANINGLESS_DRAWS, seed=seed, progress=progress)
    return DemoResult(
        seed=seed,
        folder=root,
        models=explained,
        meaningless=Meaningless(draws=_MEANINGLESS_DRAWS, **alarms),
        shown={name: tuple(clips[:6]) for name, clips in sets.items()},
    )


def demo_clips(seed: int) -> dict[str, list[Factors]]:
    """Clips of the class, of each concept, and random ones. A concept differs from the random clips in one factor alone."""
    return {
        "class": _draw(_CLASS_CLIPS, seed, 1, motion="swing", object="racket", scene="court"),
        "swing": _draw(_CONCEPT_CLIPS, seed, 2, motion="swing"),
        "wave": _draw(_CONCEPT_CLIPS, seed, 3, motion="wave"),
        "court": _draw(_CONCEPT_CLIPS, seed, 4, scene="court"),
        "racket": _draw(_CONCEPT_CLIPS, seed, 5, object="racket"),
        "random": _draw(_RANDOM_CLIPS, seed, 6),
    }


def _draw(count: int, seed: int, set_number: int, **fixed: str) -> list[Factors]:
    # Each set has its own seed, so that no clip is in two of them; 1000 are for each seed of the demo.
    return sample_factors(count, seed=1000 * seed + set_number, **{**_OTHER, **fixed})  # pyright: ignore[reportArgumentType]


# Concepts whose clips the demo writes as pictures: the static ones.
STILLS = ("court", "racket")


def _write(folder: Path, sets: Mapping[str, Sequence[Factors]], progress: bool) -> None:
    with progress_bar("rendering (clips)", sum(map(len, sets.values())), visible=progress) as advance:
        for name, clips in sets.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            for number, factors in enumerate(clips):
                clip = render(factors).clip
                if name in STILLS:
                    write_picture(folder / name / f"{name}-{number:03d}.png", clip[len(clip) // 2])
                else:
                    write_video(folder / name / f"{number:03d}.mp4", clip, fps=FPS)
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
        called=sum(prediction.labels[0].label == TARGET for prediction in predictions),
        off_court=off_court,
        no_swing=no_swing,
        result=result,
        verdict=verdict(result, model.default_layers[-1], f"Model {letter}"),
        explanation=_explanation(model, clips / "class"),
    )


def _explanation(model: VideoModel, clips: Path) -> Explanation:
    """Where and when a model looked in the first clip of a folder."""
    # At the second of four stages, a position is an eighth of the picture wide; at the last, a quarter, and blurred by then.
    (explanation,) = explain(
        model,
        sorted(clips.iterdir())[0],
        target=TARGET,
        methods=(MAP_METHOD,),
        layers=model.default_layers[1:2],
        check=False,
    ).explanations
    return explanation


def verdict(result: TcavResult, layer: str, name: str) -> Verdict:
    """The concept with the largest effect at one layer that counts, and whether its motion carries it."""
    at_layer = [row for row in result.results if row.layer == layer]
    effects = [row for row in at_layer if row.twin == "none" and _counts(row)]
    motion_effects = [row for row in at_layer if row.twin == "motion"]
    moving = [row for row in motion_effects if _counts(row)]
    largest_motion = max((row.effect for row in moving), default=0.0)
    if not effects:
        words = f"{name} was not found to rely on any of these concepts."
        return Verdict(concept=None, effect=0.0, p_value=1.0, moves=False, motion_effect=largest_motion, sentence=words)
    first = max(effects, key=lambda row: row.effect)
    moves = any(row.concept == first.concept and row.effect >= first.effect / 2 for row in moving)
    cause = f"the motion of the {first.concept}" if moves else f"the {first.concept}"
    # That motion does not matter needs intervals below the margin: a large p alone does not show it.
    small = all(row.effect_high < MARGIN for row in motion_effects)
    ending = "" if moving else ", and on nothing that moves" if small else "; no motion was found to matter"
    p_value = f"adjusted p {p_equals(first.p_adjusted)} of {tests_text(first.family_size)}"
    words = f"{name} relies on {cause} ({first.effect:+.1f} log-odds, {p_value}){ending}."
    return Verdict(
        concept=first.concept,
        effect=first.effect,
        p_value=first.p_adjusted,
        moves=moves,
        motion_effect=largest_motion,
        sentence=words,
    )


def _counts(row: ConceptResult) -> bool:
    return row.p_adjusted <= LEVEL and row.effect >= MARGIN


def _swapped(model: VideoModel, seed: int) -> tuple[float, float]:
    """Fractions called "playing tennis" with a cause removed: the swing elsewhere, and the court without a swing."""
    # The label is "playing tennis" for all: accuracy is then the fraction that is still called so.
    labels = [model.class_index(TARGET)] * _SWAPPED
    elsewhere = _draw(_SWAPPED, seed, 51, motion="swing", object="racket")
    no_swing = _draw(_SWAPPED, seed, 52, scene="court")
    return measure_accuracy(model, elsewhere, labels), measure_accuracy(model, no_swing, labels)
