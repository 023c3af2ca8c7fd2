"""From videos to maps, each with its deletion: the function behind `video-tcav explain`."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

from video_tcav.attribution import Method
from video_tcav.attribution.methods import methods_with
from video_tcav.attribution.perturbation import Baseline
from video_tcav.concepts import as_sources
from video_tcav.concepts.concept import Sources
from video_tcav.core.errors import EmptyMapError, InputError, MediaError, VideoTcavError
from video_tcav.core.logs import log_warnings
from video_tcav.core.progress import Advance, progress_bar
from video_tcav.core.provenance import provenance
from video_tcav.core.settings import takes_settings
from video_tcav.explanation.clips import (
    MAPS_OF_OTHER_CLIPS,
    Check,
    LayerMap,
    TopClassError,
    any_class_target,
    explain_map,
    maps_of_clip,
    measure_deletion,
    prepare_clip,
)
from video_tcav.explanation.concepts import concept_methods
from video_tcav.explanation.other_videos import VideoMaps, counterparts, with_other_videos
from video_tcav.explanation.result import Explanation, Explanations
from video_tcav.media import LoadedClips, Skipped, VideoSource, load_clips
from video_tcav.models import Target, VideoModel, parse_target
from video_tcav.recording.settings import RecordingSettings
from video_tcav.tcav import SavedCav
from video_tcav.tcav.settings import Cav

# The target that stands for each clip's most probable class.
TOP = "top"


@takes_settings(recording=RecordingSettings, leave_out=("space",))
def explain(
    model: VideoModel,
    videos: Sources,
    *,
    target: str | int = TOP,
    against: str = "log_odds",
    methods: Sequence[str | Method] | None = None,
    layers: Sequence[str] | None = None,
    baseline: Baseline | None = None,
    concepts: Mapping[str, Sources] | None = None,
    random: Sources | None = None,
    cavs: Sequence[SavedCav] = (),
    concept_maps: Sequence[str] = ("slope",),
    split: bool = False,
    check: bool = True,
    cav: Cav = "mean",
    seed: int = 0,
    each: Callable[[Explanation], None] | None = None,
    progress: bool = False,
    recording: RecordingSettings,
) -> Explanations:
    """Where and when the model looked in each video, and whether the map can be believed.

    Args:
        model: from `load_model`.
        videos: a file, folder, glob or manifest, clips in memory, or an iterable of these, see `concepts.as_sources`.
        target: class to explain, by name or number; `top` is each clip's most probable one.
        against: `log_odds`, `logit` or `contrast:CLASS`.
        methods: names in `attribution.METHODS`, or methods with settings; Grad-CAM if neither methods nor concepts are given.
        layers: where methods and concepts look; the deepest stage if not given.
        baseline: what is shown where a clip is hidden, by methods that do so and by the check: `grey`, `black`, `blur`, `frozen`
            or `reversed`; the last two hide motion and order alone. Each method's own, and `blur` for the check, if not given.
        concepts: clips of concepts, by name; each gets a concept map of each kind.
        random: clips without the concepts.
        cavs: CAVs of an earlier run (`load_cavs`), each of which gets concept maps, too.
        concept_maps: kinds of them: `slope` is gradient ⊙ CAV, from one backward pass, and adds up to the directional derivative;
            `clamp` adds up to what having the concept, rather than not, does to the clip, and runs the network behind the
            layer some dozens of times.
        split: whether to split each map into what survives freezing the clip and what does not.
        check: whether to measure deletion, which takes some dozens of passes a map. With several videos, a map is also compared
            with the same method's maps of other ones, so that it waits for these: two or three videos are in memory.
        cav: how the CAVs of `concepts` are learned.
        seed: of all draws.
        each: called with each map as soon as it is there, such as `reports.MapWriter`. The result then has no values: a
            map takes as much memory as the clip.
        progress: whether to show a progress bar on standard error.
        recording: how clips are passed; its fields are keywords of this function. Of the videos that are explained, `windows`,
            `threads` and `strict` are used; the passes of concepts use all.

    Raises:
        InputError: if no video can be explained, or concepts come without random clips.
        VideoTcavError: one of its other kinds, with a cure in the message.
    """
    # A class may itself be called top; then it is that class.
    top = target == TOP and TOP not in model.classes
    # A single exclusive class has probability one whatever is removed: nothing to measure.
    check = check and not (len(model.classes) == 1 and model.outputs.is_exclusive)
    check_baseline: Baseline | None = (baseline or "blur") if check else None
    any_concept = bool(concepts or cavs)
    scalar = any_class_target(model, against) if top else parse_target(model, target, against)
    used_elsewhere = [setting for setting, used in (("layers", any_concept), ("baseline", check)) if used]
    general_methods = methods_with(
        # Without concepts there must be some method; with them, their maps alone are a fair wish.
        methods if methods is not None else () if any_concept else ("gradcam",),
        {"layers": tuple(layers) if layers else None, "baseline": baseline, "seed": seed},
        used_elsewhere=used_elsewhere,
    )
    methods_of_concepts = concept_methods(
        *(model, concepts, random, layers, cavs, concept_maps),
        cav=cav,
        recording=recording,
        seed=seed,
        progress=progress,
    )
    named_methods = [*(("", method) for method in general_methods), *methods_of_concepts]
    if not named_methods:
        raise InputError("`methods` must hold one at least, or concepts be given. Got none. Leave it out for gradcam.")
    maps_of = partial(
        _maps_of_video,
        model,
        methods=named_methods,
        target=scalar,
        top=top,
        windows=recording.windows,
        split=split,
    )
    measure = partial(measure_deletion, baseline=check_baseline, seed=seed) if check_baseline else None
    sources = as_sources(videos)  # files are listed, and missing ones refused, before the first pass
    explanations: list[Explanation] = []
    skipped: list[Skipped] = []
    maps_a_video = recording.windows * len(named_methods)
    with (
        progress_bar("maps", len(sources) * maps_a_video, visible=progress) as advance,
        # Closed here, else its decoding threads live as long as the error that ends the loop.
        closing(_outcomes(model, sources, recording, maps_of, measure, maps_a_video, advance)) as outcomes,
    ):
        for source, outcome in outcomes:
            if isinstance(outcome, Explanation):
                if each is not None:
                    each(outcome)
                # A map is as large as its clip: with `each`, the result has figures alone.
                explanations.append(outcome if each is None else replace(outcome, values=None))
            elif recording.strict:
                raise outcome
            else:
                skipped.append(_skipped(source, outcome))
    if not explanations:
        raise InputError(
            f"`videos` must hold one that can be explained. Got {len(skipped)} that cannot, the first: {skipped[0].path}: "
            f"{skipped[0].reason}"
        )
    settings = {"target": target, "against": against, "windows": recording.windows, "seed": seed, "split": split}
    facts = _provenance(model, named_methods, {**settings, "deletion_baseline": check_baseline})
    return Explanations(explanations=tuple(explanations), skipped=tuple(skipped), provenance=facts)


def _provenance(
    model: VideoModel, named_methods: Sequence[tuple[str, Method]], settings: Mapping[str, Any]
) -> dict[str, Any]:
    return provenance(
        settings=settings,
        methods=[f"{method.name} map of {concept}" if concept else repr(method) for concept, method in named_methods],
        model={"name": model.name, "weights": model.weights_digest, "trained": model.trained},
    )


def _skipped(source: VideoSource, error: VideoTcavError) -> Skipped:
    skipped = Skipped(path=source.key, reason=error.reason if isinstance(error, MediaError) else str(error))
    log_warnings([str(skipped)])
    return skipped


def _outcomes(
    model: VideoModel,
    sources: Sequence[VideoSource],
    recording: RecordingSettings,
    maps_of: Callable[..., VideoMaps],
    check: Check | None,
    maps_a_video: int,
    advance: Advance,
) -> Generator[tuple[VideoSource, Explanation | VideoTcavError], None, None]:
    """Every map with its figures, or why there is none, video by video; with `check`, maps of other videos beside each."""
    share = 0.5 if check else 1.0  # of the progress bar, for the maps; what is left is for their deletion
    decoded = load_clips(sources, model.clip_spec, windows=recording.windows, threads=recording.threads)
    with closing(decoded):
        videos = (maps_of(loaded, advance=lambda steps: advance(steps * share)) for loaded in decoded)
        for video, neighbours in with_other_videos(videos, MAPS_OF_OTHER_CLIPS if check else 0):
            for outcome in video.outcomes:
                if isinstance(outcome, LayerMap):
                    for explanation in explain_map(outcome, counterparts(outcome, neighbours), check):
                        yield video.source, explanation
                else:
                    yield video.source, outcome
            advance((1 - share) * maps_a_video)


def _maps_of_video(
    model: VideoModel,
    loaded: LoadedClips,
    methods: Sequence[tuple[str, Method]],
    *,
    target: Target,
    top: bool,
    windows: int,
    split: bool,
    advance: Advance,
) -> VideoMaps:
    """Every map of a video by every method, and the error of every file, clip or map that cannot be used.

    Each method comes with the concept that it maps, if any.
    """
    # Errors are outcomes, not raised here: the caller raises or lists them in the order of the videos.
    outcomes: list[LayerMap | VideoTcavError] = []
    if loaded.clips is None:
        assert loaded.error is not None
        advance(windows * len(methods))
        outcomes.append(loaded.error)
    for window in range(0 if loaded.clips is None else len(loaded.clips)):
        try:
            clip = prepare_clip(model, loaded, window, target, top=top)
        except TopClassError as error:
            advance(len(methods))
            outcomes.append(error)
            continue
        for number, (concept, method) in enumerate(methods):
            try:
                outcomes += maps_of_clip(
                    clip, method, method_number=number, concept=concept, split=split, advance=advance
                )
            except EmptyMapError as error:
                outcomes.append(error)
    return VideoMaps(source=loaded.source, outcomes=tuple(outcomes))
