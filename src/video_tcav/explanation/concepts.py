"""Concept maps as attribution methods, by CAVs that are learned here or were saved by an earlier run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from video_tcav.attribution import ConceptMap, Method
from video_tcav.concepts.concept import Sources
from video_tcav.core.errors import InputError, ModelError
from video_tcav.models import VideoModel
from video_tcav.recording.settings import RecordingSettings
from video_tcav.tcav import SavedCav, learn_cavs
from video_tcav.tcav.settings import Cav
from video_tcav.tcav.wording import comparison_name


def concept_methods(
    model: VideoModel,
    concepts: Mapping[str, Sources] | None,
    random: Sources | None,
    layers: Sequence[str] | None,
    cavs: Sequence[SavedCav],
    *,
    cav: Cav,
    recording: RecordingSettings,
    seed: int,
    progress: bool,
) -> list[tuple[str, Method]]:
    """A concept map for each concept and layer, by its name: of CAVs that are learned here, then of saved ones."""
    if bool(concepts) != (random is not None):
        raise InputError(
            "`concepts` must come with random clips, and random clips with concepts. Got one without the other."
            " Give --concept NAME=PATH and --random PATH."
        )
    if not concepts and not cavs:
        return []
    # The deepest stage, as for methods; a concept needs it by name, before any clip is there.
    wanted = tuple(layers or model.stages()[-1:])
    learned: Sequence[SavedCav] = ()
    if concepts and random is not None:
        learned = learn_cavs(
            model,
            concepts=concepts,
            random=random,
            layers=wanted,
            cav=cav,
            seed=seed,
            progress=progress,
            recording=recording,
        )
    return list(maps_of_cavs([*learned, *_check_saved(model, cavs, wanted)]))


def maps_of_cavs(cavs: Iterable[SavedCav]) -> Iterator[tuple[str, ConceptMap]]:
    """The concept map of each CAV, by the name of what it tells apart."""
    for cav in cavs:
        yield comparison_name(cav.concept, cav.versus), ConceptMap(cavs={cav.layer: cav.vector})


def _check_saved(model: VideoModel, cavs: Sequence[SavedCav], layers: Sequence[str]) -> list[SavedCav]:
    for cav in cavs:
        if cav.weights_digest != model.weights_digest:
            raise ModelError(
                f"`cavs` must be learned on this model. Got a CAV of {cav.concept} of other weights."
                " Load the model it was learned on."
            )
        if cav.space != "flatten":  # a pooled CAV has no value for each position
            raise InputError(f"`cavs` must be of the space flatten to be mapped. Got {cav.space}. Run `test` with it.")
    saved = [cav for cav in cavs if cav.layer in layers]
    if cavs and not saved:
        cav_layers = dict.fromkeys(cav.layer for cav in cavs)
        raise InputError(
            f"`cavs` must be of the layers to look at, {', '.join(layers)}. Got {', '.join(cav_layers)}."
            " Give one of these with --layer."
        )
    return saved
