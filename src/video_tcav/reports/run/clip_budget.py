"""Clips for a run's page, as many as fit into its size."""

from dataclasses import dataclass
from typing import Any

from video_tcav.experiments import Run
from video_tcav.experiments.previews import Preview
from video_tcav.reports.run.clips import HALF, PlayedClip, Player, chosen_previews, played_preview, player
from video_tcav.reports.run.summaries import extremes
from video_tcav.reports.run.view import file_words, model_words, target_views
from video_tcav.tcav.summaries import units

_PLAYERS_SHARE = 0.7
"""Of what is left for clips, how much those that are shown in full may take."""


@dataclass(frozen=True, kw_only=True)
class ShownSet:
    """Clips of one set."""

    heading: str
    words: str
    clips: tuple[PlayedClip, ...]


def no_clips() -> dict[str, Any]:
    """What the template needs, without any clip."""
    return {"players": [], "sets": [], "extremes": [], "left_out_players": "", "left_out_previews": ""}


def fitting_clips(run: Run, budget: int) -> dict[str, Any]:
    """Clips that fit: those shown in full first, then some of each set."""
    players = _players(run, 1)
    room = _PLAYERS_SHARE * budget
    told = ""
    if sum(one.size for one in players) > room:
        players, told = _players(run, HALF), "They are smaller here than in the run, to keep the page small."
        while players and sum(one.size for one in players) > room:
            players.pop()
        left_out = len(run.shown) - len(players)
        if left_out:
            told = f"To keep the page small, they are smaller here than in the run, and {left_out} more are left out."
    sets, told_sets = _sets(run, budget - sum(one.size for one in players))
    shown = {
        (model_words(one.clip.model), one.clip.target, one.clip.clip): number
        for number, one in enumerate(players, start=1)
    }
    return {
        "players": players,
        "left_out_players": told,
        "sets": sets,
        "left_out_previews": told_sets,
        "extremes": _extremes(run, shown),
    }


def _players(run: Run, shrink: int) -> list[Player]:
    experiment = run.experiment
    first = {
        (one.which.model, one.which.target): one
        for one in reversed(run.analyses)
        if (one.which.space, one.which.test) == (experiment.spaces[0], experiment.statistics.tests[0])
    }
    unit = units(experiment.against)
    return [
        player(run, clip, first[clip.model, clip.target], number=number, unit=unit, shrink=shrink)
        for number, clip in enumerate(run.shown, start=1)
    ]


def _sets(run: Run, budget: int) -> tuple[list[ShownSet], str]:
    groups: dict[tuple[str, str], list[Preview]] = {}
    for one in run.previews:
        groups.setdefault((one.role, one.name), []).append(one)
    folder = run.path / "shown" / "previews"
    played = {key: [played_preview(folder, one) for one in found] for key, found in groups.items()}
    every = [one for found in played.values() for one in found]
    taken = chosen_previews(every, [len(found) for found in played.values()], budget)
    counts = _counts(run)
    sets = []
    for (key, found), count in zip(played.items(), taken, strict=True):
        role, name = key
        heading = {"target": f"Class: {name}", "concept": f"Concept: {name}"}.get(role, "Random clips")
        sets.append(ShownSet(heading=heading, words=counts.get(key, ""), clips=tuple(found[:count])))
    fewer = len(every) - sum(taken)
    told = f"To keep the page small, {fewer} that the run holds are left out." if fewer else ""
    return ([one for one in sets if one.clips], told)


def _counts(run: Run) -> dict[tuple[str, str], str]:
    """How many clips each set has, by its role and name."""
    words: dict[tuple[str, str], str] = {}
    for analysis in run.analyses:
        for found in analysis.found:
            one = found.result
            if one.versus != "random":
                continue
            still = "They do not move." if one.negatives == "frozen" else ""
            groups = f"{one.n_concept_clips} clips in {one.n_concept_groups} groups."
            words.setdefault(("concept", one.concept), f"{groups} {still}".strip())
            words.setdefault(("random", "random"), f"{one.n_random_clips} clips in which no concept is to be seen.")
            if one.at == "class":
                words.setdefault(("target", analysis.which.target), f"{one.n_class_clips} clips.")
    return words


def _extremes(run: Run, shown: dict[tuple[str, str, str], int]) -> list[Any]:
    if run.experiment.at != "class":
        return []
    return [
        (
            view.target,
            model,
            concept,
            (file_words(most), shown.get((model, view.target, most))),
            most_effect,
            (file_words(least), shown.get((model, view.target, least))),
            least_effect,
        )
        for view in target_views(run)
        for model, concept, most, most_effect, least, least_effect in extremes(view)
    ]
