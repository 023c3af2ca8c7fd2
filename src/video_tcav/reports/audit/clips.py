"""Clips of an audit for its page: the telling ones beside what they were made of, and one clip in all versions."""

from collections.abc import Sequence
from dataclasses import dataclass

from video_tcav.auditing import VERSIONS, AuditExample, AuditResult, TellingClip
from video_tcav.core.errors import VideoTcavError
from video_tcav.core.wording import signed
from video_tcav.reports.clips import ShownClip, picture_uri, video_uri
from video_tcav.reports.run.text import short_clip

MASKS = "masks"
_FOLLOWS = {
    "scene": "it follows the scene",
    "person": "it follows the person",
    "neither": "it follows neither person nor scene",
}


@dataclass(frozen=True, kw_only=True)
class ShownVersion:
    """One version of a clip.

    Attributes:
        name: of the version.
        sentence: what was changed.
        shown: the pictures.
    """

    name: str
    sentence: str
    shown: ShownClip


@dataclass(frozen=True, kw_only=True)
class TellingCard:
    """A clip that shows what the figures say.

    Attributes:
        file: its name, short.
        label: its class.
        lender_label: class of the scene; empty where no scene was exchanged.
        answer: what the model says of the version.
        words: what that means.
        follows: `scene`, `person` or `neither`.
        pictures: the clip as it is, its masks, and the version.
    """

    file: str
    label: str
    lender_label: str
    answer: str
    words: str
    follows: str
    pictures: tuple[ShownVersion, ...]


def telling_cards(result: AuditResult) -> tuple[TellingCard, ...]:
    """Cards of the telling clips of which there are pictures."""
    cards = []
    for telling in result.telling():
        pictures = _pictures(result, telling.clip, ("original", MASKS, telling.version))
        if pictures:
            cards.append(_card(result, telling, pictures))
    return tuple(cards)


def contact_sheet(result: AuditResult) -> tuple[ShownVersion, ...]:
    """All versions of the clip of which there are most; none without examples."""
    counts: dict[int, int] = {}
    for example in result.examples:
        counts[example.clip] = counts.get(example.clip, 0) + 1
    if not counts:
        return ()
    clip = max(counts, key=lambda number: counts[number])
    return _pictures(result, clip, [example.version for example in result.examples if example.clip == clip])


def _card(result: AuditResult, telling: TellingClip, pictures: tuple[ShownVersion, ...]) -> TellingCard:
    clip = result.answers.clips[telling.clip]
    needs_donor = telling.version in VERSIONS.names() and VERSIONS[telling.version].needs_donor
    return TellingCard(
        file=short_clip(clip.clip),
        label=clip.label,
        lender_label=(clip.lender_label or "") if needs_donor else "",
        answer=telling.answer,
        words=f"{_FOLLOWS[telling.follows] if needs_donor else ''}{'; ' if needs_donor else ''}"
        f"{signed(-telling.log_odds_lost, 1)} log-odds for “{clip.label}”",
        follows=telling.follows,
        pictures=pictures,
    )


def _pictures(result: AuditResult, clip: int, names: Sequence[str]) -> tuple[ShownVersion, ...]:
    by_name = {example.version: example for example in result.examples if example.clip == clip}
    return tuple(_shown(by_name[name]) for name in names if name in by_name)


def _shown(example: AuditExample) -> ShownVersion:
    if example.version == MASKS:
        sentence = "Who was taken for the person (orange), and for what it holds (blue)."
    else:
        sentence = _sentence(example.version)
    label = f"{example.version}: {sentence}"
    moves = bool((example.frames != example.frames[:1]).any())
    uri = video_uri(example.frames, fps=example.fps) if moves else picture_uri(example.frames[0])
    return ShownVersion(
        name=example.version.replace("_", " "), sentence=sentence, shown=ShownClip(uri=uri, label=label, moves=moves)
    )


def _sentence(name: str) -> str:
    """What a version changes; nothing where the package that added it is not installed."""
    try:
        return VERSIONS[name].sentence
    except VideoTcavError:
        return ""
