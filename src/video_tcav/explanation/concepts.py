"""Concept maps as attribution methods, by CAVs that are learned here or were saved by an earlier run."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from video_tcav.attribution import ClampMap, ConceptAxis, ConceptMap, Method
from video_tcav.concepts.concept import Sources
from video_tcav.core.checks import one_of, require
from video_tcav.core.errors import InputError, ModelError
from video_tcav.models import VideoModel
from video_tcav.recording.settings import RecordingSettings
from video_tcav.tcav import SavedCav, learn_cavs
from video_tcav.tcav.settings import Cav
from video_tcav.tcav.wording import comparison_name


def _slope_map(cav: SavedCav) -> Method:
    if cav.space != "flatten":  # a pooled CAV has no value for each position
        raise InputError(
            f"`cavs` must be of the space flatten for a map of the slope. Got {cav.space}. Run `test` with flatten, or map the"
            " clamp effect."
        )
    return ConceptMap(cavs={cav.layer: cav.vector})


def _clamp_map(cav: SavedCav) -> Method:
    axis = ConceptAxis(vector=cav.vector, concept_mean=cav.concept_mean, random_mean=cav.random_mean, space=cav.space)
    return ClampMap(axes={cav.layer: axis})


_MAP_OF_CAV: dict[str, Callable[[SavedCav], Method]] = {"slope": _slope_map, "clamp": _clamp_map}


def concept_methods(
    model: VideoModel,
    concepts: Mapping[str, Sources] | None,
    random: Sources | None,
    layers: Sequence[str] | None,
    cavs: Sequence[SavedCav],
    kinds: Sequence[str],
    *,
    cav: Cav,
    recording: RecordingSettings,
    seed: int,
    progress: bool,
) -> list[tuple[str, Method]]:
    """Concept maps for each concept and layer, by its name: of CAVs that are learned here, then of saved ones."""
    require(bool(kinds), "concept_maps", "hold one at least", "none", "Leave it out for slope.")
    for kind in kinds:
        one_of("concept_maps", kind, tuple(_MAP_OF_CAV))
    if bool(concepts) != (random is not None):
        raise InputError(
            "`concepts` must come with random clips, and random clips with concepts. Got one without the other."
            " Give --concept NAME=PATH and --random PATH."
        )
    if not concepts and not cavs:
        without_default = [kind for kind in kinds if kind != "slope"]
        require(
            not without_default,
            "concept_maps",
            "come with concepts or CAVs",
            without_default,
            "Give --concept or --cavs.",
        )
        return []
    # The deepest stage, as for methods; a concept needs it by name, before any clip is there.
    wanted = tuple(layers or model.stages()[-1:])
    saved = _check_saved(model, cavs, wanted)
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
    return list(maps_of_cavs([*learned, *saved], kinds))


def maps_of_cavs(cavs: Iterable[SavedCav], kinds: Sequence[str] = ("slope",)) -> Iterator[tuple[str, Method]]:
    """The concept maps of each CAV, by the name of what it tells apart.

    Args:
        cavs: of one model.
        kinds: `slope`: gradient ⊙ CAV, which adds up to the directional derivative; `clamp`: adds up to what having the concept,
            rather than not, does to the clip.
    """
    for cav in cavs:
        for kind in dict.fromkeys(kinds):
            yield comparison_name(cav.concept, cav.versus), _MAP_OF_CAV[kind](cav)


def _check_saved(model: VideoModel, cavs: Sequence[SavedCav], layers: Sequence[str]) -> list[SavedCav]:
    for cav in cavs:
        if cav.weights_digest != model.weights_digest:
            raise ModelError(
                f"`cavs` must be learned on this model. Got a CAV of {cav.concept} of other weights."
                " Load the model it was learned on."
            )
    saved = [cav for cav in cavs if cav.layer in layers]
    if cavs and not saved:
        cav_layers = dict.fromkeys(cav.layer for cav in cavs)
        raise InputError(
            f"`cavs` must be of the layers to look at, {', '.join(layers)}. Got {', '.join(cav_layers)}."
            " Give one of these with --layer."
        )
    return saved
