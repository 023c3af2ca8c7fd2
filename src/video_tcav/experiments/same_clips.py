"""A run that is resumed goes on with the same clips: their keys and digests against those of a finished analysis."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from video_tcav.core.errors import ExperimentError, MediaError
from video_tcav.experiments.analyses import load_analysis
from video_tcav.experiments.clips import ClipSets
from video_tcav.media import VideoSource, source_digest


def check_same_clips(folder: Path, clips: ClipSets, target: str) -> None:
    """Refuse to resume a run with other clips: its analyses would not be comparable.

    Raises:
        ExperimentError: if a file was added, removed or changed.
    """
    before = {
        key: digest
        for digests in load_analysis(folder).record["provenance"]["clips"].values()
        for key, digest in digests.items()
    }
    sets = (clips.random, *clips.concepts.values(), clips.targets[target] or ())
    check_same_digests(folder, before, [source for sources in sets for source in sources])


def check_same_digests(folder: Path, before: Mapping[str, str | None], sources: Sequence[VideoSource]) -> None:
    """Refuse to resume a run whose finished part in `folder` is of other clips than `sources`, by their keys and digests.

    Raises:
        ExperimentError: if a file was added, removed or changed.
    """
    now = {source.key: source for source in sources}
    for key in dict.fromkeys([*before, *now]):
        if key not in before or key not in now or _digest(now[key]) != before[key]:
            word = "a new" if key not in before else "no longer a" if key not in now else "a changed"
            raise ExperimentError(
                f"{folder.parent.parent}: a run must go on with the same clips. Got {word} {key}. Give another --out."
            )


def _digest(source: VideoSource) -> str | None:
    try:
        return source_digest(source)
    except (MediaError, OSError):
        return None
