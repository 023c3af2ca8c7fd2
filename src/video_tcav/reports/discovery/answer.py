"""Answer of a discovery in plain words: what was asked, what is confirmed, with which error rate, and what was not shown."""

import math
from collections.abc import Sequence

from video_tcav.discovery import Component, DiscoveryResult
from video_tcav.reports.discovery.words import does
from video_tcav.reports.run.answer import Answer
from video_tcav.tcav.wording import p_equals, percent

# Sentences of single components; the others are counted, and have a card each.
_MOST_NAMED = 4
_NOT_SHOWN = (
    "What a component is: nobody has named it. Look at its clips, and name it in the studio.",
    "What editing a video would do. Effects are measured inside the network: by a slope, which is what a small push towards the "
    "component does, or by what clips lose when it is taken out of a layer.",
    "What layers and clips hold that were not looked at.",
)


def answer(result: DiscoveryResult) -> Answer:
    """The answer, from the confirmed components."""
    return Answer(
        asked=_asked(result),
        findings=(("", tuple(_findings(result))),),
        sure=tuple(_sure(result)),
        not_shown=(*_unconfirmed(result), *_NOT_SHOWN),
    )


def _asked(result: DiscoveryResult) -> str:
    layers = list(dict.fromkeys(component.layer for component in result))
    where = f"layer {layers[0]}" if len(layers) == 1 else f"{len(layers)} layers"
    halves = [_clips(result, half) for half in ("find", "confirm")]
    return (
        f"What does the model rely on for “{result.target}”? Nobody named a concept before: components of {where} were found in "
        f"{halves[0]}, and tested in {halves[1]}."
    )


def _clips(result: DiscoveryResult, half: str) -> str:
    clips = [clip for clip in result.clips if clip.half == half]
    return f"{len(clips)} clips of {len({clip.group for clip in clips})} groups"


def _findings(result: DiscoveryResult) -> list[str]:
    confirmed = result.confirmed
    if not confirmed:
        return [f"Nothing is confirmed: of {len(result)} components none holds in the clips that it was not found in."]
    verb = "is" if len(confirmed) == 1 else "are"
    sentences = [f"{len(confirmed)} of {len(result)} components {verb} confirmed."]
    sentences += [f"{_named(component)} {does(result, component)}." for component in confirmed[:_MOST_NAMED]]
    left = len(confirmed) - _MOST_NAMED
    sentences += [f"{left} more {'has' if left == 1 else 'have'} a smaller effect."] if left > 0 else []
    return [*sentences, result.explained.sentence()]


def _named(component: Component) -> str:
    kind = "" if component.kind == "unclear" else f" ({component.kind})"
    return f"{component.name}{kind}"


def _sure(result: DiscoveryResult) -> list[str]:
    sentences = [
        f"Where there is nothing to find, at most {percent(result.alpha)} of such runs confirm anything: p-values are "
        f"adjusted for all {len(result)} components."
    ]
    if result.confirmed:
        weakest = max(component.p_adjusted for component in result.confirmed)
        sentences.append(f"Of the confirmed ones, the weakest has adjusted p {p_equals(weakest)}.")
        sentences += _tests(result.confirmed)
    sentences += _edited(result.confirmed)
    unstable = sum(not component.is_stable for component in result)
    if unstable:
        sentences.append(
            f"{unstable} of all {'is' if unstable == 1 else 'are'} unstable, as other clips would give others, and not confirmed."
        )
    return sentences


def _tests(confirmed: Sequence[Component]) -> list[str]:
    """How many were confirmed by taking them out, which needs a word."""
    count = sum(component.confirmed_by == "removal" for component in confirmed)
    if not count:
        return []
    return [
        f"{count} of these {'was' if count == 1 else 'were'} confirmed by removal: clips lose or gain when it is taken out where "
        "it is, and more than when as much is taken out elsewhere."
    ]


def _edited(confirmed: Sequence[Component]) -> list[str]:
    """Whether whole steps through the rest of the network agree with the slopes that confirmed components."""
    stepped = [each for each in confirmed if each.confirmed_by == "slope" and not math.isnan(each.step)]
    if not stepped:
        return []
    disagree = [component.name for component in stepped if component.step * component.effect <= 0]
    if disagree:
        return [f"With the rest of the network run again, a whole step goes the other way for {', '.join(disagree)}."]
    count = len(stepped)
    words = "the component that was" if count == 1 else f"all {count} components that were"
    return [f"A whole step, with the rest of the network run again, goes the same way for {words} tried."]


def _unconfirmed(result: DiscoveryResult) -> list[str]:
    count = len(result) - len(result.confirmed)
    if not count:
        return []
    if not result.confirmed:
        return [f"Whether any of the {count} components matters. Not confirmed is no proof that none does."]
    return [f"Whether the {count} other components matter. Not confirmed is no proof that they do not."]
