"""A discovery as one HTML page: the answer, each confirmed component with its clips and figures, and behind titles the others."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from video_tcav.core.files import check_file_writable
from video_tcav.core.progress import progress_bar
from video_tcav.discovery import Component, DiscoveryResult, ExplainedShare
from video_tcav.discovery.component import REMOVAL_SHARE
from video_tcav.reports.discovery.answer import answer
from video_tcav.reports.discovery.charts import components_chart
from video_tcav.reports.discovery.clips import TypicalClip, read_discovered, typical_clips, typical_numbers
from video_tcav.reports.discovery.where_and_when import WhereAndWhen, where_and_when
from video_tcav.reports.discovery.words import (
    does,
    edit_words,
    effect_figures,
    kind_words,
    name_words,
    presence_words,
    removal_words,
    stability_words,
    why_not_confirmed,
)
from video_tcav.reports.page import write_page
from video_tcav.reports.run.provenance import named_values, present, version_facts
from video_tcav.reports.run.text import FIGURES
from video_tcav.tcav.wording import units

_MOST_UNCONFIRMED = 6
"""Components that are not confirmed and have a card with clips; all others are rows of the table."""
_MOST_CLIP_BYTES = 10_000_000
"""Of all clips in a page, which mail and chat still take."""


@dataclass(frozen=True, kw_only=True)
class ComponentCard:
    """What the page says of one component.

    Attributes:
        component: which.
        does: what having it does to the target.
        effect: the same in figures.
        facts: headings and texts: kind, where, when and so on.
        figures: names and values for those who want all of them.
        place: where and when its clips have it; `None` where they have it nowhere.
        clips: that have most of it.
        reason: why it is not confirmed.
    """

    component: Component
    does: str
    effect: str
    facts: tuple[tuple[str, str], ...]
    figures: tuple[tuple[str, str], ...]
    place: WhereAndWhen | None
    clips: tuple[TypicalClip, ...]
    reason: str


def write_discovery_page(result: DiscoveryResult, path: str | Path, *, progress: bool = False) -> Path:
    """Write a discovery as one HTML page that opens offline and loads nothing else, and its chart into the folder `figures`.

    Clips are read from their files again, and a clip whose file is gone or has changed is named instead. No model is run.

    Args:
        result: from `discover` or `load_discovery`.
        path: of the page.
        progress: whether to show a progress bar on standard error.

    Returns:
        `path`.

    Raises:
        OutputError: if a file cannot be written.
    """
    path = Path(path)
    check_file_writable(path)
    chart = components_chart(result)
    if chart is not None:
        chart.write(path.parent / FIGURES)
    others = [component for component in result if not component.confirmed]
    cards = list(_cards(result, [*result.confirmed, *others[:_MOST_UNCONFIRMED]], progress))
    return write_page(
        path,
        "discovery.html.j2",
        result=result,
        answer=answer(result),
        explained=result.explained if isinstance(result.explained, ExplainedShare) else None,
        counts={},
        unit=units(result.against),
        chart=None if chart is None else chart.svg,
        confirmed=[card for card in cards if card.component.confirmed],
        others=[card for card in cards if not card.component.confirmed],
        unshown=sum(clip.shown is None for card in cards for clip in card.clips),
        rows=[(component, why_not_confirmed(component, result.alpha)) for component in result],
        removal_share=REMOVAL_SHARE if any(not math.isnan(component.removed) for component in result) else None,
        provenance=_provenance(result),
    )


def _cards(result: DiscoveryResult, components: Sequence[Component], progress: bool) -> Iterator[ComponentCard]:
    """A card each; clips beyond the bytes of the page are left out, those of the last components first."""
    numbers = {component.name: typical_numbers(result, component) for component in components}
    chosen = sorted({number for of_component in numbers.values() for number in of_component})
    total = len(chosen) + len(components)
    with progress_bar("page (clips, components)", total, visible=progress) as advance:
        read = read_discovered(result, chosen, advance)
        left = _MOST_CLIP_BYTES
        for component in components:
            clips = typical_clips(result, component, read) if left > 0 else ()
            left -= sum(clip.size for clip in clips)
            yield _card(result, component, clips)
            advance(1)


def _card(result: DiscoveryResult, component: Component, clips: tuple[TypicalClip, ...]) -> ComponentCard:
    place = where_and_when([example.heat for example in result.examples(component.name)])
    facts = [
        ("Kind", kind_words(component)),
        ("Where", "" if place is None else place.where),
        ("When", "" if place is None else place.when),
        ("In the class", presence_words(result, component)),
        ("Stability", stability_words(component)),
        ("Taken out", removal_words(result, component)),
        ("Edited", edit_words(result, component)),
        ("A name?", name_words(result, component)),
    ]
    return ComponentCard(
        component=component,
        does=does(result, component),
        effect=effect_figures(result, component),
        facts=tuple((heading, text) for heading, text in facts if text),
        figures=tuple(present(_figures(component))),
        place=place,
        clips=clips,
        reason=why_not_confirmed(component, result.alpha),
    )


def _figures(component: Component) -> dict[str, object]:
    return {
        "layer": component.layer,
        "p of presence": f"{component.presence_p:.2g}",
        "p of slope": f"{component.effect_p:.2g}",
        "p of removal": None if math.isnan(component.removed_p) else f"{component.removed_p:.2g}",
        "AUC of its CAV": f"{component.cav_auc:.2f}",
        "clips with it": f"{component.n_strong_clips} of {component.n_clips}",
        "groups": component.n_groups,
        "tubes in the bank": component.n_tubes or None,
    }


def _provenance(result: DiscoveryResult) -> list[tuple[str, str]]:
    provenance = result.provenance
    return present(
        {
            "made": provenance.get("created"),
            **version_facts(provenance),
            "model": (provenance.get("model") or {}).get("name"),
            "weights (SHA-256)": (provenance.get("model") or {}).get("weights"),
            "settings": named_values(provenance.get("settings")),
            "clips of the model": named_values(provenance.get("clip_spec")),
            "concept bank": provenance.get("bank"),
            "seconds": named_values({name: f"{value:.1f}" for name, value in result.seconds.items()}),
        }
    )
