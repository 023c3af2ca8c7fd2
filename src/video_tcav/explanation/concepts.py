"""Concepts as methods of attribution: CAVs that are learned here, and CAVs that were saved."""

from collections.abc import Iterator, Mapping, Sequence

from video_tcav.attribution import ConceptMap, Method
from video_tcav.concepts.concept import Sources
from video_tcav.core.errors import InputError, ModelError
from video_tcav.models import VideoModel
from video_tcav.tcav import SavedCav, learn_cavs
from video_tcav.tcav.wording import comparison_name


def concept_maps(
    model: VideoModel,
    concepts: Mapping[str, Sources] | None,
    random: Sources | None,
    layers: Sequence[str] | None,
    cavs: Sequence[SavedCav],
    *,
    seed: int,
    progress: bool,
) -> Iterator[tuple[str, Method]]:
    """A method for each concept: of CAVs that are learned here, and of CAVs that were saved."""
    if bool(concepts) != (random is not None):
        raise InputError(
            "`concepts` must come with random clips, and random clips with concepts. Got one without the other."
            " Give --concept NAME=PATH and --random PATH."
        )
    wanted = tuple(layers or model.stages()[-1:]) if concepts or cavs else ()
    learned: Sequence[SavedCav] = ()
    if concepts and random is not None:
        learned = learn_cavs(model, concepts=concepts, random=random, layers=wanted, seed=seed, progress=progress)
    for cav in cavs:
        if cav.weights_digest != model.weights_digest:
            raise ModelError(
                f"`cavs` must be learned on this model. Got a CAV of {cav.concept} of other weights."
                " Load the model it was learned on."
            )
        if cav.space != "flatten":
            raise InputError(f"`cavs` must be of the space flatten to be mapped. Got {cav.space}. Run `test` with it.")
    saved = [cav for cav in cavs if cav.layer in wanted]
    if cavs and not saved:
        raise InputError(
            f"`cavs` must be of the layers to look at, {', '.join(wanted)}. Got {', '.join({one.layer for one in cavs})}."
            " Give one of these with --layer."
        )
    for cav in (*learned, *saved):
        yield comparison_name(cav.concept, cav.versus), ConceptMap(cavs={cav.layer: cav.vector})
