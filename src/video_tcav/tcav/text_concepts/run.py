"""Text CAVs from clips and words to results: the function behind `video-tcav words`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from video_tcav.concepts.concept import Sources
from video_tcav.core.checks import at_least
from video_tcav.core.errors import InputError
from video_tcav.core.files import check_writable
from video_tcav.core.logs import log_warnings
from video_tcav.core.progress import progress_bar
from video_tcav.core.settings import takes_settings
from video_tcav.gram.cavs.registry import cav_fitter
from video_tcav.gram.corrections import adjust
from video_tcav.media import VideoSource
from video_tcav.media.grouping import listed_groups
from video_tcav.models import VideoModel
from video_tcav.recording.clip_id import ClipId
from video_tcav.recording.recording import Recording
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.workspace import Workspace
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.plan import Plan, Question, make_plan
from video_tcav.tcav.record_plan import class_groups, compare_recorded, only_right_clips, record
from video_tcav.tcav.run_provenance import run_provenance
from video_tcav.tcav.settings import USUAL_CORRECTION, At, Cav
from video_tcav.tcav.text_concepts.embedded_clips import embed_recorded
from video_tcav.tcav.text_concepts.measure import TextDirections, TextMeasurement, group_numbers, measure_texts
from video_tcav.tcav.text_concepts.result import TextConceptResult, TextConstants, TextTcavResult
from video_tcav.words.encoder import TextVideoEncoder
from video_tcav.words.encoder_spec import load_encoder
from video_tcav.words.text_scores import TextRows
from video_tcav.words.word_lists import TEMPLATE, checked_texts, other_words, words_digest

FEWEST_GROUPS = 10
"""Of unlabelled clips: the map is learned from four fifths of them, and tried on the rest."""


@takes_settings(recording=RecordingSettings)
def run_text_tcav(
    model: VideoModel,
    *,
    target: str | int,
    texts: Sequence[str],
    encoder: TextVideoEncoder | str,
    random: Sources,
    clips: Sources | None = None,
    concepts: Mapping[str, Sources] | None = None,
    layers: Sequence[str] | None = None,
    against: str = "log_odds",
    at: At = "class",
    only_right: bool = False,
    words: Sequence[str] | None = None,
    template: str = TEMPLATE,
    cav: Cav = "mean",
    bootstraps: int = 1000,
    group: str = "video",
    seed: int = 0,
    keep: bool = True,
    out: str | Path | None = None,
    progress: bool = False,
    recording: RecordingSettings,
) -> TextTcavResult:
    """Measure how much concepts in words matter for a class: CAVs from texts, without clips of the concepts.

    A ridge map is learned from an encoder's embeddings of unlabelled clips to a layer's activations of the same clips. It turns
    the difference of a text's embedding and the mean neutral prompt's into a direction of the layer, the text CAV. That is a
    weaker claim than a CAV of clips: what this encoder, by these clips, takes the layer to hold of the words. So results are of a
    type of their own, and where clips of the same concept are given, the cosine of both CAVs stands beside each.

    Args:
        model: from `load_model`.
        target: class to explain, by name or number.
        texts: concepts in a few words each, such as "swinging a racket".
        encoder: from `words.load_encoder`, or a spec for it.
        random: unlabelled clips, from which the map is learned: a hundred or more, some of which show the concepts.
        clips: clips of the class; not needed where `at` is `random`.
        concepts: clips of some of the concepts, by their texts, which the text CAVs are checked against. The map is not
            learned from them.
        layers: dotted module names; the model's stages if not given.
        against: `log_odds`, `logit` or `contrast:CLASS`.
        at: where the gradient is taken, see `run_tcav`.
        only_right: whether class clips that the model calls another class are left out.
        words: that effects are compared with; `common_words()` if not given.
        template: the sentence around each text and word.
        cav: how CAVs of clips are learned.
        bootstraps: draws of groups for the intervals.
        group: what is independent: `video`, what a published list names (`participant`), or a pattern on the path.
        seed: of every random draw.
        keep: whether embeddings are kept on disk, by the content of clips and encoder.
        out: folder for tables.
        progress: whether to show progress bars on standard error.
        recording: how clips are passed and kept; its fields are keywords of this function.

    Returns:
        One result for each text and layer.

    Raises:
        VideoTcavError: one of its kinds, with a cure in the message.

    Source:
        Moayeri et al. 2023, arXiv:2305.06386 (text to concept); Nicolson et al. 2024, arXiv:2408.08652 (TextCAVs).
    """
    asked_texts = checked_texts(texts)
    compared, fitter = other_words(words, asked_texts), cav_fitter(cav)
    at_least("bootstraps", bootstraps, 2)
    check_names(concepts or {}, asked_texts)
    folder = None if out is None else check_writable(Path(out))
    tower = load_encoder(encoder) if isinstance(encoder, str) else encoder
    question = Question(
        target=target,
        clips=clips,
        concepts=concepts or {},
        random=random,
        layers=layers,
        against=against,
        at=at,
        only_right=only_right,
        group=group,
        seed=seed,
    )
    with Workspace(recording, progress=progress) as work:
        plan = make_plan(model, question, recording, work.digest, work.budget, needs_concepts=False)
        unlabelled = _unlabelled(plan)
        rows = TextRows.embed(tower, asked_texts, compared, template=template, keep=keep)
        recorder = work.recorder(model, plan.layers, plan.digests, seed=seed)
        recorded = only_right_clips(plan, record(plan, recorder, work))
        embeddings = embed_recorded(tower, unlabelled, recorded, plan.digests, keep=keep, progress=progress)
        asked = _directions(plan, recorded, unlabelled, embeddings, rows, asked_texts)
        checks = {comparison.concept: comparison for comparison in compare_recorded(plan, recorded)}
        measured = list[TextMeasurement]()
        with progress_bar("statistics (draws)", bootstraps * len(plan.layers), visible=progress) as advance:
            for layer, gram in recorded.grams(progress=progress).items():
                measured += measure_texts(
                    layer, gram, asked, checks, cav=fitter, bootstraps=bootstraps, seed=seed, advance=advance
                )
        constants = TextConstants(
            target=model.classes[model.class_index(target)],
            against="number" if plan.target is not None and plan.target.kind == "number" else against,
            at=at,
            space=recording.space,
            cav=fitter.name,
            encoder=tower.name,
            template=template,
            words=len(compared),
            correction=USUAL_CORRECTION,
            n_clips=len(asked.rows),
            n_groups=len(np.unique(asked.groups)),
            n_class_clips=len(recorded.class_rows),
        )
        result = _result(
            plan, recorded, constants, measured, checks, tower, question, bootstraps, words_digest(compared), work
        )
    return result if folder is None else _saved(result, folder)


def check_names(concepts: Mapping[str, Sources], texts: Sequence[str]) -> None:
    """Refuse clips of a concept that is not among the texts: they would check nothing, and a typing error would go unnoticed.

    Raises:
        InputError: naming it.
    """
    for name in concepts:
        if name not in texts:
            raise InputError(
                f"`concepts` must be named as the texts that they check. Got {name!r}, and the texts {', '.join(texts)}."
                " Write the name as the text."
            )


def _unlabelled(plan: Plan) -> tuple[VideoSource, ...]:
    """Random sources that are no clips of a concept that checks a text, by content."""
    checking = {plan.digests.get(source.key) for concept in plan.concepts for source in concept.sources}
    return tuple(source for source in plan.random if plan.digests.get(source.key) not in checking - {None})


def _directions(
    plan: Plan,
    recorded: Recording,
    unlabelled: Sequence[VideoSource],
    embeddings: Mapping[ClipId, Any],
    rows: TextRows,
    texts: tuple[str, ...],
) -> TextDirections:
    names = {source.key: plan.group_of(source) for source in unlabelled}
    groups = group_numbers([names[clip.source] for clip in embeddings])
    class_numbers = np.asarray(class_groups(plan, recorded))
    for role, numbers, least in (("random", groups, FEWEST_GROUPS), ("clips", class_numbers, 2)):
        count = len(np.unique(numbers))
        if count < least:
            first = f" Files could not be used, the first: {recorded.skipped[0]}." if recorded.skipped else ""
            raise InputError(
                f"`{role}` must hold clips of at least {least} independent groups for concepts in words."
                f" Got {len(numbers)} clips of {count}.{first} Add clips of other videos."
            )
    directions, word_directions = rows.differences()
    return TextDirections(
        rows=np.array([recorded.rows[clip] for clip in embeddings]),
        embeddings=np.stack(list(embeddings.values())),
        groups=groups,
        class_groups=class_numbers,
        texts=texts,
        directions=directions,
        words=word_directions,
    )


def _result(
    plan: Plan,
    recorded: Recording,
    constants: TextConstants,
    measured: Sequence[TextMeasurement],
    checks: Mapping[str, Comparison],
    encoder: TextVideoEncoder,
    question: Question,
    bootstraps: int,
    other_words_digest: str,
    work: Workspace,
) -> TextTcavResult:
    adjusted = adjust([measurement.p_value for measurement in measured], USUAL_CORRECTION)
    settings = asdict(constants) | {
        "layers": plan.layers,
        "group": question.group,
        "seed": plan.seed,
        "bootstraps": bootstraps,
        "only_right": plan.only_right,
        "other_words": other_words_digest,
        **recorded.settings.for_provenance(precision=recorded.precision),
    }
    warnings = [
        *recorded.model.remarks(),
        *work.warnings({skipped.path for skipped in recorded.skipped}),
        *(text for check in checks.values() for text in check.warnings),
        *listed_groups((*plan.compared(), *plan.class_sources), plan.group_of, question.group),
    ]
    if not recorded.model.trained:
        warnings.append(
            "The model's weights are random: nothing here means anything. Give trained ones with --weights."
        )
    if constants.n_groups < 2 * FEWEST_GROUPS:
        warnings.append(f"The map from embeddings is learned from {constants.n_groups} groups only: give more clips.")
    result = TextTcavResult(
        constants=constants,
        results=tuple(
            TextConceptResult(**vars(measurement), p_adjusted=p_value, family_size=len(measured))
            for measurement, p_value in zip(measured, adjusted, strict=True)
        ),
        skipped=recorded.skipped,
        warnings=tuple(warnings),
        provenance=run_provenance(
            plan, recorded, settings, encoder={"name": encoder.name, "source": encoder.source, "digest": encoder.digest}
        ),
    )
    log_warnings([*result.warnings, *map(str, result.skipped)])
    return result


def _saved(result: TextTcavResult, folder: Path) -> TextTcavResult:
    result.save(folder)
    return result
