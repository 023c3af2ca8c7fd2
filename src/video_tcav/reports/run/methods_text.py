"""Methods text of a run for a paper, and the entries to cite."""

from collections.abc import Iterator
from typing import Any

from video_tcav.experiments import Run
from video_tcav.gram import DrawSettings, significance_test
from video_tcav.gram.cavs.registry import cav_fitter
from video_tcav.reports.run.audit_text import audits_text
from video_tcav.reports.run.interventions_text import interventions_text
from video_tcav.reports.run.text import listed, short_model
from video_tcav.reports.run.view import RunView, layers_of
from video_tcav.reports.run.words_text import words_text
from video_tcav.tcav.effect_check.mask_edits import MASK_EDITS

_SPACES = {
    "flatten": "the flattened activations",
    "space": "activations averaged over space",
    "time": "activations averaged over time",
    "spacetime": "activations averaged over space and time",
}
_AGAINST = {
    "number": "the number that the model returns, in its own unit",
    "log_odds": "the log-odds of the class: its logit, less the log-sum-exp of all others where classes exclude each other",
    "logit": "the raw logit of the class",
}
_TWIN_EFFECTS = {
    "frozen": "The motion effect is the effect of a concept minus that of its clips with their middle frame held.",
    "reversed": "The order effect is the effect of a concept minus that of its clips played backwards.",
}
_CORRECTIONS = {
    "holm": "the Holm procedure",
    "bonferroni": "the Bonferroni procedure",
    "bh": "the Benjamini–Hochberg procedure",
    "maxt": "the max-T procedure of Westfall and Young",
}
# Those whose versions may change numbers.
_PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn")
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

@article{chung2013exact,
  title   = {Exact and Asymptotically Robust Permutation Tests},
  author  = {Chung, EunYi and Romano, Joseph P.},
  journal = {The Annals of Statistics},
  volume  = {41},
  number  = {2},
  pages   = {484--507},
  year    = {2013}
}

@article{hall1992removal,
  title   = {On the Removal of Skewness by Transformation},
  author  = {Hall, Peter},
  journal = {Journal of the Royal Statistical Society: Series B},
  volume  = {54},
  number  = {1},
  pages   = {221--228},
  year    = {1992}
}

@article{gretton2012kernel,
  title   = {A Kernel Two-Sample Test},
  author  = {Gretton, Arthur and Borgwardt, Karsten M. and Rasch, Malte J. and Sch{\\"o}lkopf, Bernhard and Smola, Alexander},
  journal = {Journal of Machine Learning Research},
  volume  = {13},
  pages   = {723--773},
  year    = {2012}
}
"""


def bibtex(run: Run) -> str:
    """Entries for the method, the source paper, and the software in the version that made the run."""
    provenance = run.record["provenance"]
    software = (
        "@software{video_tcav,\n"
        "  title   = {video-tcav: concept activation vectors for video action recognition},\n"
        "  author  = {{The video-tcav authors}},\n"
        f"  version = {{{provenance['video_tcav']}}},\n"
        f"  year    = {{{str(provenance['created'])[:4]}}}\n"
        "}\n"
    )
    return f"{BIBTEX}\n{software}"


def methods(view: RunView) -> str:
    """Paragraphs that can be pasted into a paper and edited there."""
    concepts: tuple[str, ...] = ()
    if view.run.analyses:
        tests = " ".join(_tests(view))
        concepts = (_models(view.run), _clips(view), _vectors(view), tests, interventions_text(view), _edits(view))
    paragraphs = (*concepts, words_text(view.run), audits_text(view.run), _hypotheses(view), _software(view.run))
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _models(run: Run) -> str:
    digests = run.record.get("model_digests") or {}
    names = []
    for name, model in run.experiment.all_models().items():
        spec = "" if model.spec == name else f" ({short_model(model.spec)})"
        digest = f", weights with SHA-256 {digests[name][:12]}…" if digests.get(name) else ""
        names.append(f"{short_model(name)}{spec}{digest}")
    steps = run.record.get("steps") or {}
    # Models of one run may take different clips.
    forms = {
        clip_form(analysis.record["provenance"].get("clip_spec"), steps.get(analysis.which.model))
        for analysis in run.analyses
    } - {""}
    form = " or ".join(sorted(forms)) or "the form that the model expects"
    return (
        f"We explained {listed(names)} with Video-TCAV (Saha et al., 2024), which extends testing with concept activation "
        f"vectors (CAVs; Kim et al., 2018) to video. Clips had {form}. "
        f"Activations were recorded at {_layers(run)}."
    )


def _layers(run: Run) -> str:
    layers: dict[str, str] = {}
    for analysis in run.analyses:
        layers.setdefault(analysis.which.model, ", ".join(layers_of(analysis)))
    if len(set(layers.values())) == 1:
        return next(iter(layers.values())) + (" of each model" if len(layers) > 1 else "")
    return "; ".join(f"{names} of {short_model(model)}" for model, names in layers.items())


def _clips(view: RunView) -> str:
    classes, concepts, pool = [], {}, 0
    for target in view.targets:
        for row in target.results:
            if row.versus == "random" and row.twin == "none":
                concepts[row.concept] = f"{row.concept} ({row.n_concept_clips} clips in {row.n_concept_groups} groups)"
                pool = max(pool, row.n_random_clips)
        first = target.results[0]  # all results of a target share its clips
        classes.append(f"{target.target} ({first.n_class_clips} {'random ' if first.at == 'random' else ''}clips)")
    pattern = view.experiment.group
    named = pattern.isidentifier() and f"the {pattern} that a list names, or the match of /{pattern}/ in the path"
    default = "the source video, or the group that a list names"
    group = default if pattern == "video" else named or f"the match of /{pattern}/ in the path"
    return (
        f"The classes were {listed(classes)}. The concepts were {listed(list(concepts.values()))}, compared with {pool} "
        f"random clips. {_passes(view)}{_negatives(view.run)}The unit of resampling, label permutation and "
        f"cross-validation was {group}."
    )


def _passes(view: RunView) -> str:
    """What differs from the usual in how clips were taken, passed and kept; each setting has its sentence."""
    settings = view.experiment.recording(view.experiment.spaces[0])
    noted = view.run.analyses[0].record["provenance"].get("settings", {})
    # `auto` became one or the other when the run began.
    chosen = settings.with_values(precision=noted.get("precision", settings.precision))
    return "".join(f"{sentence} " for sentence in chosen.methods_sentences())


def _negatives(run: Run) -> str:
    """Whether random clips were frozen, where a concept does not move; nothing where all move."""
    negatives = {stored.result.negatives for analysis in run.analyses for stored in analysis.found}
    if "moving" in negatives:
        return "A concept that does not move was compared with random clips that do. "
    if "frozen" in negatives:
        return "Where the clips of a concept do not move, the random clips were frozen to match. "
    return ""


def _vectors(view: RunView) -> str:
    experiment = view.experiment
    space = _SPACES.get(experiment.spaces[0], experiment.spaces[0])
    other_class = experiment.against.partition(":")[2]
    against = _AGAINST.get(experiment.against, f"the logit of the class minus that of {other_class}")
    gradient_clips = "clips of the class" if experiment.at == "class" else "random clips that were set aside"
    twins = "".join(f" {text}" for twin, text in _TWIN_EFFECTS.items() if twin in experiment.all_twins())
    return (
        f"CAVs were learned in {space} by {cav_fitter(experiment.cav).methods_text}. The target was {against}. The effect "
        f"of a concept is the gradient of the target by the activation, averaged over {gradient_clips}, times the difference "
        "between the mean activation of concept and random clips: the first-order change of the target from the average random "
        f"to the average concept clip, in {view.unit}.{twins}"
    )


def _tests(view: RunView) -> Iterator[str]:
    """Sentences on the tests that were run, the first of which judged the hypotheses, and on intervals."""
    settings = view.experiment.statistics
    draws = DrawSettings(
        permutations=settings.permutations, random_sets=settings.random_sets, bootstraps=settings.bootstraps
    )
    first, *others = (significance_test(test) for test in settings.tests)
    correction = _CORRECTIONS.get(first.default_correction or settings.correction)
    adjusted = f"corrected for multiple tests by {correction}" if correction else "not corrected for multiple tests"
    yield f"Significance was tested by {first.methods_text(draws)}, {adjusted}, at the level of {settings.level:g}."
    for test in others:
        yield f"For comparison, we also report {test.methods_text(draws)}."
    yield (
        "Intervals are 95 % t intervals, corrected for skewness (Hall, 1992), with the standard error of a Bayesian bootstrap "
        f"over concept, random and class groups ({settings.bootstraps:,} draws). A concept counts as represented in the "
        "layer where a permutation test finds that the means of its clips and of the random clips differ there (linear MMD; "
        "Gretton et al., 2012). The AUC of a CAV is that of groups of clips which it has not seen."
    )


def _edits(view: RunView) -> str:
    """How effects were checked by edits of clips; nothing where they were not."""
    checks = [analysis.effect_check for analysis in view.run.analyses if analysis.effect_check is not None]
    made = next((check for check in checks if check.edits), None)
    if made is None:
        return ""
    by_masks = sum(edit.edit in MASK_EDITS for edit in made.edits)
    kinds = f"{len(made.edits) - by_masks} plain edits" + (f" and {by_masks} by masks" if by_masks else "")
    return (
        f"Effects were checked by {kinds} of up to {max(check.n_clips for check in checks)} clips of each "
        "class: the mean change of the target when the clips themselves are edited, against the effect of edited on plain clips. "
        "An effect was taken to predict edits where the 95 % intervals of its right signs and of its rank correlation, over "
        "groups of clips and over edits, lie above chance."
    )


def _hypotheses(view: RunView) -> str:
    hypotheses, margin = view.experiment.hypotheses, view.experiment.statistics.margin
    if not hypotheses:  # of a test
        return ""
    count, families = len(hypotheses), len({hypothesis.family for hypothesis in hypotheses})
    stated = (
        f"{count} {'hypothesis was' if count == 1 else 'hypotheses were'} stated beforehand"
        f"{f' in {families} families' if families > 1 else ''}."
    )
    if not any(hypothesis.is_about_concept for hypothesis in hypotheses):
        correction = _CORRECTIONS.get(view.experiment.statistics.correction)
        return f"{stated} They were corrected for multiple tests by {correction}." if correction else stated
    return (
        f"{stated} An effect counts where it is significant and not smaller "
        f"than a margin of {margin:g} {view.unit} (unless a hypothesis states another); that there is none of that size "
        "was tested by two one-sided tests against the margin."
    )


def _software(run: Run) -> str:
    provenance: Any = run.record["provenance"]
    packages = provenance.get("packages") or {}
    versions = ", ".join(f"{name} {packages[name]}" for name in _PACKAGES if name in packages)
    return (
        f"All computations used video-tcav {provenance['video_tcav']} on Python {provenance['python']} ({versions}), with seed "
        f"{run.experiment.seed}."
    )


def clip_form(spec: Any, steps: Any) -> str:
    """The form of clips in words, with how their frames were really spread, where the run has noted it.

    The spec, of the model's clips, is empty in runs of early versions; `steps` are those of the frames that were used.
    """
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
    wanted = int(spec.get("stride") or 1)
    if not steps:
        return f"one in {wanted} of the video, or closer together where it is shorter" if wanted > 1 else "in a row"
    # JSON has text for keys; a run in which nothing was counted used what was asked for.
    counts = {int(stride): count for stride, count in steps["strides"].items()} or {wanted: videos}
    if len(counts) == 1:
        (stride,) = counts
        short = f" (one in {wanted} was asked for, and no video is long enough)" if stride < wanted else ""
        return f"one in {stride} of the video{short}" if stride > 1 else f"in a row{short}"
    by_stride = sorted(counts.items(), reverse=True)
    phrases = [f"one in {stride} in {count} video{'s' * (count > 1)}" for stride, count in by_stride]
    return f"{listed(phrases)}, as their length allowed (one in {wanted} was asked for)"


def _filled(spec: Any, steps: Any) -> str:
    """How videos with fewer frames than a clip were filled up."""
    count = steps["filled"] if steps else 0
    if not count:
        return ""
    how = "the last frame was repeated" if spec.get("short") == "pad" else "the video began anew"
    return f"; in {count} videos with fewer frames, {how}"
