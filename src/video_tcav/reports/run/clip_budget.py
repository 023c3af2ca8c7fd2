"""Choice of clips for a run's page: as many as fit into its size."""

from collections import defaultdict
from dataclasses import dataclass

from video_tcav.experiments import Run
from video_tcav.reports.run.clips import PlayedClip, Player, played_preview, player

# Of the bytes for clips, the share that clips with maps may take; the others are for previews of the sets.
_PLAYERS_SHARE = 0.7
_HALF = 2
_SET_HEADINGS = {"target": "Class: {}", "concept": "Concept: {}", "random": "Random clips"}


@dataclass(frozen=True, kw_only=True)
class ClipSet:
    """Some clips of one set: its role and name as a heading, and in words how many clips it has."""

    heading: str
    words: str
    clips: tuple[PlayedClip, ...]


@dataclass(frozen=True, kw_only=True)
class FittedClips:
    """Clips with maps, and previews of each set, that fit into the page; each note says what was done to make them fit."""

    players: tuple[Player, ...] = ()
    players_note: str = ""
    sets: tuple[ClipSet, ...] = ()
    sets_note: str = ""


def fitting_clips(run: Run, budget: int) -> FittedClips:
    """Clips that fit into so many bytes: those with maps first, then some of each set."""
    players, players_note = _fitting_players(run, int(_PLAYERS_SHARE * budget))
    sets, sets_note = _fitting_sets(run, budget - _size(players))
    return FittedClips(players=tuple(players), players_note=players_note, sets=tuple(sets), sets_note=sets_note)


def _fitting_players(run: Run, budget: int) -> tuple[list[Player], str]:
    players = _players(run, 1)
    if _size(players) <= budget:
        return players, ""
    # Smaller clips before fewer clips; those that go are the last, which matter least.
    players = _players(run, _HALF)
    while players and _size(players) > budget:
        players.pop()
    left_out = len(run.shown) - len(players)
    if not left_out:
        return players, "They are smaller here than in the run, to keep the page small."
    return players, f"To keep the page small, they are smaller here than in the run, and {left_out} more are left out."


def _players(run: Run, shrink: int) -> list[Player]:
    space, test = run.experiment.spaces[0], run.experiment.statistics.tests[0]
    # Shown clips were made with the first feature space and test.
    analyses = {
        (analysis.which.model, analysis.which.target): analysis
        for analysis in run.analyses
        if (analysis.which.space, analysis.which.test) == (space, test)
    }
    return [
        player(run, clip, analyses[clip.model, clip.target], number=number, shrink=shrink)
        for number, clip in enumerate(run.shown, start=1)
    ]


def _fitting_sets(run: Run, budget: int) -> tuple[list[ClipSet], str]:
    clips: dict[tuple[str, str], list[PlayedClip]] = defaultdict(list)
    for preview in run.previews:
        clips[preview.role, preview.name].append(played_preview(run.path / "shown" / "previews", preview))
    count = clips_per_set([[clip.size for clip in group] for group in clips.values()], budget)
    counts = _set_counts(run)
    sets = [
        ClipSet(
            heading=_SET_HEADINGS.get(role, "Random clips").format(name),
            words=counts.get((role, name), ""),
            clips=tuple(group[:count]),
        )
        for (role, name), group in clips.items()
        if count
    ]
    left_out = sum(max(0, len(group) - count) for group in clips.values())
    return sets, f"To keep the page small, {left_out} that the run holds are left out." if left_out else ""


def clips_per_set(sizes: list[list[int]], budget: int) -> int:
    """How many clips of each set fit by their bytes: as many of each as of any other, as far as it has them."""
    longest = max(map(len, sizes), default=0)
    return next((count for count in range(longest, 0, -1) if sum(sum(set_[:count]) for set_ in sizes) <= budget), 0)


def _set_counts(run: Run) -> dict[tuple[str, str], str]:
    """How many clips each set has, in words, by its role and name."""
    words: dict[tuple[str, str], str] = {}
    for analysis in run.analyses:
        for row in (stored.result for stored in analysis.found):
            if row.versus != "random":
                continue
            still = "" if row.negatives == "as given" else " They do not move."
            concept = f"{row.n_concept_clips} clips in {row.n_concept_groups} groups.{still}"
            words.setdefault(("concept", row.concept), concept)
            words.setdefault(("random", "random"), f"{row.n_random_clips} clips that were given as random.")
            if row.at == "class":
                words.setdefault(("target", analysis.which.target), f"{row.n_class_clips} clips.")
    return words


def _size(players: list[Player]) -> int:
    return sum(player.size for player in players)
