"""The methods of a run, as a paper would tell them, and what to cite."""

from typing import Any

from video_tcav.experiments import Experiment, Run
from video_tcav.reports.run.view import layers_of, model_words, target_views
from video_tcav.tcav.summaries import units

_CAVS = {
    "mean": "the difference of the means of concept and random activations",
    "ridge": "ridge regression",
    "logistic": "logistic regression",
    "svm": "a linear support vector machine",
}
_SPACES = {
    "flatten": "the flattened activations",
    "space": "activations averaged over space",
    "time": "activations averaged over time",
    "spacetime": "activations averaged over space and time",
}
_CORRECTIONS = {
    "holm": "the Holm procedure",
    "bonferroni": "the Bonferroni procedure",
    "bh": "the Benjamini–Hochberg procedure",
    "maxt": "the max-T procedure of Westfall and Young",
}
_AGAINST = {
    "number": "the number that the model returns, in its own unit",
    "log_odds": "the log-odds of the class: its logit, less the log-sum-exp of all others where classes exclude each other",
    "logit": "the raw logit of the class",
}
BIBTEX = """\
@inproceedings{kim2018tcav,
  title     = {Interpretability Beyond Feature Attribution: Quantitative Testing with Concept Activation Vectors ({TCAV})},
  author    = {Kim, Been and Wattenberg, Martin and Gilmer, Justin and Cai, Carrie and Wexler, James and
               Viegas, Fernanda and Sayres, Rory},
  booktitle = {Proceedings of the 35th International Conference on Machine Learning},
  series    = {PMLR},
  volume    = {80},
  pages     = {2668--2677},
  year      = {2018}
}

@misc{saha2024videotcav,
  title         = {Exploring Explainability in Video Action Recognition},
  author        = {Saha, Avinab and Gupta, Shashank and Ankireddy, Sravan Kumar and Chahine, Karl and Ghosh, Joydeep},
  year          = {2024},
  eprint        = {2404.09067},
  archivePrefix = {arXiv},
  primaryClass  = {cs.CV}
}
"""


def bibtex(run: Run) -> str:
    """Entries for the method, the source paper, and the software in the version that made the run."""
    version, year = run.record["provenance"]["video_tcav"], str(run.record["provenance"]["created"])[:4]
    software = (
        "@software{video_tcav,\n"
        "  title   = {video-tcav: concept activation vectors for video action recognition},\n"
        "  author  = {{The video-tcav authors}},\n"
        f"  version = {{{version}}},\n"
        f"  year    = {{{year}}}\n"
        "}\n"
    )
    return f"{BIBTEX}\n{software}"


def methods(run: Run) -> str:
    """Paragraphs that can be pasted into a paper and edited there."""
    experiment = run.experiment
    parts = [
        _models(run),
        _clips(run),
        _vectors(experiment),
        _tests(experiment),
        _hypotheses(experiment),
        _software(run),
    ]
    return "\n\n".join(part for part in parts if part)


def _models(run: Run) -> str:
    digests = run.record.get("model_digests") or {}
    names = []
    for name, one in run.experiment.all_models().items():
        spec = "" if one.spec == name else f" ({model_words(one.spec)})"
        digest = f", weights with SHA-256 {digests[name][:12]}…" if digests.get(name) else ""
        names.append(f"{model_words(name)}{spec}{digest}")
    steps = run.record.get("steps") or {}
    sizes = {
        clip_words(one.record["provenance"].get("clip_spec"), steps.get(one.which.model)) for one in run.analyses
    } - {""}
    layers = {}
    for one in run.analyses:
        layers.setdefault(one.which.model, layers_of(one))
    same = len(set(layers.values())) == 1
    several = f" of {'each model' if same else '{}'}" if len(layers) > 1 else ""
    places = [", ".join(found) + several.format(model_words(model)) for model, found in layers.items()]
    where = "; ".join(dict.fromkeys(places))
    form = " or ".join(sorted(sizes)) or "the form that the model expects"
    return (
        f"We explained {_listed(names)} with Video-TCAV (Saha et al., 2024), which extends testing with concept activation "
        f"vectors (CAVs; Kim et al., 2018) to video. Clips had {form}. "
        f"Activations were recorded at {where}."
    )


def _clips(run: Run) -> str:
    views = target_views(run)
    classes, concepts = [], {}
    pool = 0
    for view in views:
        for analysis in view.analyses:
            for found in analysis.found:
                one = found.result
                if one.versus == "random" and one.twin == "none":
                    concepts[one.concept] = (
                        f"{one.concept} ({one.n_concept_clips} clips in {one.n_concept_groups} groups)"
                    )
                    pool = max(pool, one.n_random_clips)
        first = view.analyses[0].found[0].result
        classes.append(f"{view.target} ({first.n_class_clips} {'random ' if first.at == 'random' else ''}clips)")
    group = (
        "the source video" if run.experiment.group == "video" else f"the match of /{run.experiment.group}/ in the path"
    )
    windows = f" From each video, {run.experiment.windows} clips were taken." if run.experiment.windows > 1 else ""
    return (
        f"The classes were {_listed(classes)}. The concepts were {_listed(list(concepts.values()))}, compared with {pool} "
        f"random clips.{windows} {_matching(run)}The unit "
        f"of resampling, relabelling and cross-validation was {group}."
    )


def _matching(run: Run) -> str:
    """Whether random clips were frozen, where a concept does not move; nothing where all move."""
    ways = {one.negatives: one.concept for part in run.analyses for one in (found.result for found in part.found)}
    if "moving" in ways:
        return "A concept that does not move was compared with random clips that do. "
    return (
        "Where the clips of a concept do not move, the random clips were frozen to match. " if "frozen" in ways else ""
    )


def _vectors(experiment: Experiment) -> str:
    space = _SPACES.get(experiment.spaces[0], experiment.spaces[0])
    against = _AGAINST.get(
        experiment.against, f"the logit of the class minus that of {experiment.against.partition(':')[2]}"
    )
    place = "clips of the class" if experiment.at == "class" else "random clips that were set aside"
    twins = {
        "frozen": "The motion effect is the effect of a concept minus that of its clips with their middle frame held.",
        "reversed": "The order effect is the effect of a concept minus that of its clips played backwards.",
    }
    told = " ".join(text for twin, text in twins.items() if twin in experiment.all_twins())
    text = (
        f"CAVs were learned in {space} by {_CAVS.get(experiment.cav, experiment.cav)}. The target was {against}. The effect "
        f"of a concept is the gradient of the target by the activation, averaged over {place}, times the difference between "
        f"the mean activation of concept and random clips: the first-order change of the target from the average random to "
        f"the average concept clip, in {units(experiment.against)}."
    )
    return f"{text} {told}".strip()


def _tests(experiment: Experiment) -> str:
    settings = experiment.statistics
    correction = _CORRECTIONS.get(settings.correction)
    adjusted = f"corrected for multiple tests by {correction}" if correction else "not corrected for multiple tests"
    parts = []
    if settings.tests[0] == "permutation":
        parts.append(
            f"Significance was tested by {settings.permutations:,} permutations of the labels of groups (two-sided), {adjusted}, "
            f"at the level of {settings.level:g}."
        )
    if "ttest" in settings.tests:
        role = "Significance was tested" if settings.tests[0] == "ttest" else "For comparison, we also report"
        parts.append(
            f"{role} {'by ' if settings.tests[0] == 'ttest' else ''}the t-test between TCAV scores of the concept and of "
            f"random sets ({settings.random_sets} sets), which is anti-conservative."
        )
    parts.append(
        f"Intervals are 95 % bootstrap intervals over concept, random and class groups ({settings.bootstraps:,} draws). A "
        "concept counts as represented where the cross-validated accuracy of its CAV is above chance."
    )
    return " ".join(parts)


def _hypotheses(experiment: Experiment) -> str:
    settings = experiment.statistics
    count, families = len(experiment.hypotheses), len({one.family for one in experiment.hypotheses})
    unit = units(experiment.against)
    return (
        f"{count} {'hypothesis was' if count == 1 else 'hypotheses were'} stated beforehand"
        f"{f' in {families} families' if families > 1 else ''}. An effect counts where it is significant and not smaller "
        f"than a margin of {settings.margin:g} {unit} (unless a hypothesis states another); that there is none of that size "
        "was tested by two one-sided tests against the margin."
    )


def _software(run: Run) -> str:
    noted: Any = run.record["provenance"]
    packages = noted.get("packages") or {}
    used = ", ".join(
        f"{name} {packages[name]}" for name in ("torch", "torchvision", "numpy", "scikit-learn") if name in packages
    )
    return (
        f"All computations used video-tcav {noted['video_tcav']} on Python {noted['python']} ({used}), with seed "
        f"{run.experiment.seed}."
    )


def clip_words(spec: Any, steps: Any) -> str:
    """The clip in words; with how its frames were really spread, where the run has noted it."""
    if not spec:
        return ""
    size = spec.get("size")
    pixels = f" of {size[0]} × {size[1]} pixels" if isinstance(size, list | tuple) else ""
    return f"{spec['frames']} frames{pixels}, {_spread(spec, steps)}{_filled(spec, steps)}"


def _spread(spec: Any, steps: Any) -> str:
    if spec.get("sampling") == "uniform":
        return "spread over the whole video (uniform sampling)"
    shorter, videos = (steps["shorter"], steps["videos"]) if steps else (0, 0)
    if spec.get("fps"):
        closer = f" (closer together in {shorter} of {videos} videos, which are shorter)" if shorter else ""
        return f"{spec['fps']:g} a second{closer}"
    asked = int(spec.get("stride") or 1)
    if not steps:
        return f"one in {asked} of the video, or closer together where it is shorter" if asked > 1 else "in a row"
    used = {int(stride): count for stride, count in steps["strides"].items()} or {asked: videos}
    if len(used) == 1:
        (stride,) = used
        short = f" (one in {asked} was asked for, and no video is long enough)" if stride < asked else ""
        return f"one in {stride} of the video{short}" if stride > 1 else f"in a row{short}"
    words = _listed(
        [f"one in {stride} in {count} video{'s' * (count > 1)}" for stride, count in sorted(used.items(), reverse=True)]
    )
    return f"{words}, as their length allowed (one in {asked} was asked for)"


def _filled(spec: Any, steps: Any) -> str:
    """What was done about videos with fewer frames than a clip."""
    count = steps["filled"] if steps else 0
    if not count:
        return ""
    how = "the last frame was repeated" if spec.get("short") == "pad" else "the video began anew"
    return f"; in {count} videos with fewer frames, {how}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
