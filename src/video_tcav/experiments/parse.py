"""Parse and check an experiment file; an error is one message with file, line and cure, before any work."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from video_tcav.core.errors import InputError
from video_tcav.core.limits import excerpt, shortened
from video_tcav.core.sections import first_mistake
from video_tcav.core.yaml_lines import YamlFile, YamlPath, read_yaml
from video_tcav.experiments.audit_mistakes import audit_contradictions, claim_contradictions
from video_tcav.experiments.file import Experiment, as_model
from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.experiments.named import check_name
from video_tcav.experiments.sections import Pair
from video_tcav.experiments.text_claims import text_claim_contradictions, words_contradictions
from video_tcav.models.model_file import described


def read_experiment(path: str | Path) -> tuple[Experiment, YamlFile]:
    """Read and check an experiment file, without its models and clips.

    Returns:
        The experiment, and the file with its lines.

    Raises:
        ExperimentError: for the first mistake, with file, line and cure.
    """
    file = read_yaml(Path(path))
    if not isinstance(file.values, Mapping):
        got = "nothing" if file.values is None else excerpt(file.values)
        raise file.error((), f"the file must be an experiment. Got {got}. Write title, model, targets and so on.")
    if file.values.get("audit", {}) is None:  # which would be no audit at all
        raise file.error(("audit",), "`audit` must be a mapping. Got nothing. Write audit: {} for all defaults.")
    try:
        experiment = Experiment.model_validate(file.values)
    except ValidationError as error:
        raise first_mistake(error, file) from error
    for at, message in _contradictions(experiment):
        raise file.error(at, message)
    return _with_model_files(experiment, file), file


def _with_model_files(experiment: Experiment, file: YamlFile) -> Experiment:
    """The experiment with the content of its model files, so that a run's identity and provenance hold what they said."""
    folder = file.path.absolute().parent
    models = {name: described(as_model(entry), folder) for name, entry in experiment.models.items()}
    model = None if experiment.model is None else described(as_model(experiment.model), folder)
    return experiment.model_copy(update={"models": models} if model is None else {"model": model})


def _contradictions(experiment: Experiment) -> Iterator[tuple[YamlPath, str]]:
    """Contradictions within the file, each with its path."""
    names: dict[str, int] = {}
    for name in experiment.concepts:
        base, _, version = name.rpartition("/")
        if version in ("static", "dynamic") and isinstance(experiment.concepts.get(base), Pair):
            message = f"`concepts.{name}` must have a name of its own. Got that of a version of another. Rename it."
            yield ("concepts", name), message
    for target, source in experiment.targets.items():
        if source is None and experiment.at == "class":
            message = f"`targets.{target}` must have clips, unless at is random. Got none. Name its clips."
            yield ("targets", target), message
        if source is not None and experiment.at == "random":
            yield ("targets", target), f"`targets.{target}` must have no clips with at: random. Got some. Remove them."
    try:
        experiment.interventions.operations  # noqa: B018 - reads the names
    except InputError as error:
        yield ("interventions", "intervene"), str(error)
    if experiment.masks is not None and not (experiment.check_effects and experiment.tests_concepts):
        got = "no concepts" if experiment.check_effects else "check_effects: false"
        message = (
            f"`masks` must be of an effect check; those of an audit stand in its section. Got {got}. Leave it out."
        )
        yield ("masks",), message
    for concept in experiment.pairs:
        if experiment.tests_concepts:
            yield from check_name("pairs", concept, experiment.all_concepts(), ("pairs", concept))
        else:
            message = "`pairs` must be of concepts of the file. Got no concepts. Add targets, concepts and random."
            yield ("pairs", concept), message
    yield from audit_contradictions(experiment)
    yield from words_contradictions(experiment)
    for number, hypothesis in enumerate(experiment.hypotheses):
        path: YamlPath = ("hypotheses", number)
        yield from _contradictions_of(hypothesis, path, experiment)
        if hypothesis.name is not None and hypothesis.name in names:
            first = names[hypothesis.name]
            message = f"`hypotheses.{number}.name` must be its own. Got that of hypothesis {first}. Change one of them."
            yield (*path, "name"), message
        names.setdefault(hypothesis.name or "", number)


def _contradictions_of(
    hypothesis: Hypothesis, path: YamlPath, experiment: Experiment
) -> Iterator[tuple[YamlPath, str]]:
    if hypothesis.is_about_concept:
        yield from _contradictions_of_concepts(hypothesis, path, experiment)
    elif hypothesis.text_matters is not None:
        yield from text_claim_contradictions(hypothesis, path, experiment)
    else:
        yield from claim_contradictions(hypothesis, path, experiment)
    models = experiment.all_models()
    if hypothesis.same_in is None and hypothesis.model is not None:
        yield from check_name("model", hypothesis.model, models, (*path, "model"))
    elif hypothesis.same_in is None and len(models) > 1:
        cure = f"Add model: and one of {shortened(list(models))}."
        yield path, f"`model` must be named where there are several. Got none. {cure}"


def _contradictions_of_concepts(
    hypothesis: Hypothesis, path: YamlPath, experiment: Experiment
) -> Iterator[tuple[YamlPath, str]]:
    claim_path: YamlPath = (*path, hypothesis.kind)
    if not experiment.tests_concepts:
        message = f"`{hypothesis.kind}` must be about concepts of the file. Got no concepts. Add targets, concepts and random."
        yield claim_path, message
        return
    about, models = hypothesis.about, experiment.all_models()
    yield from check_name("target", about.target, experiment.targets, (*claim_path, "target"))
    for key in ("concept", "than"):
        if hasattr(about, key):
            yield from check_name(key, getattr(about, key), experiment.all_concepts(), (*claim_path, key))
    if hypothesis.more_than is not None and hypothesis.more_than.than == hypothesis.more_than.concept:
        yield (*claim_path, "than"), "`than` must be another concept. Got the same one twice. Compare with another."
    if hypothesis.same_in is not None:
        for number, name in enumerate(hypothesis.same_in.models):
            yield from check_name("models", name, models, (*claim_path, "models", number))
        if len(set(hypothesis.same_in.models)) == 1:
            yield (*claim_path, "models"), "`models` must be two different ones. Got one twice. Name another."
    if hypothesis.least_agreement is not None and not experiment.check_effects:
        message = (
            "`least_agreement` must not be asked for without check_effects. Got both. Remove check_effects: false."
        )
        yield (*path, "least_agreement"), message
    if hypothesis.operation is not None:
        yield from _unanswerable(hypothesis, path, experiment)
    if hypothesis.layer is not None and experiment.layers is not None:
        yield from check_name("layer", hypothesis.layer, experiment.layers, (*path, "layer"))


def _unanswerable(hypothesis: Hypothesis, path: YamlPath, experiment: Experiment) -> Iterator[tuple[YamlPath, str]]:
    """What keeps a hypothesis about an intervention from any verdict but undecided."""
    settings = experiment.statistics
    draws = min(experiment.interventions.relabellings, settings.permutations)
    family = [claim for claim in experiment.hypotheses if claim.family == hypothesis.family]
    # p of B relabellings is 1/(B + 1) at the least; Holm's best case multiplies it by the number of such claims in the family
    alike = [claim for claim in family if claim.operation is not None]
    tests = {"holm": len(alike), "bonferroni": len(family)}.get(settings.correction, 1)
    fewest = math.ceil(tests / settings.level) - 1
    if draws < fewest:
        key: YamlPath = ("interventions", "relabellings") if "interventions" in experiment.model_fields_set else path
        yield (
            key,
            f"`interventions.relabellings` must be {fewest} or more for {hypothesis.kind}, whose adjusted p (of {tests}) could "
            f"not be {settings.level:g} otherwise. Got {draws}. Raise it, or name another family.",
        )
    if hypothesis.needed is not None and experiment.against == "number":
        yield (
            (*path, "needed"),
            "`needed` must be about a model of classes. Got against: number, where no class comes first. Write would_change.",
        )
