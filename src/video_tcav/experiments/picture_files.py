"""What the page of a test needs beside its tables: draws, diagnostics, some clips of each set, and maps of example clips."""

from collections.abc import Mapping
from pathlib import Path

from video_tcav.concepts import as_sources
from video_tcav.concepts.concept import Sources
from video_tcav.core.files import read_json, write_json
from video_tcav.core.progress import progress_bar
from video_tcav.experiments.analyses import Analysis, load_analysis, save_analysis
from video_tcav.experiments.clips import ClipSets
from video_tcav.experiments.digests import DIGESTS, damage_reported, digests_of, files_below
from video_tcav.experiments.example_clips import save_shown, show_clips
from video_tcav.experiments.previews import PER_SET, sets_of, write_previews
from video_tcav.experiments.result_folder import TEST_AGAIN, experiment_of, key_of
from video_tcav.models import VideoModel
from video_tcav.tcav import TcavResult
from video_tcav.tcav.completeness import MANIFEST

_CAVS = "cavs.safetensors"
_EDITS = ("interventions.parquet", "interventions.csv")
_TABLES = ("results.json", "results.parquet", "results.csv", *_EDITS, MANIFEST, _CAVS)


def complete_test_folder(
    folder: str | Path,
    result: TcavResult,
    model: VideoModel,
    *,
    clips: Sources | None,
    concepts: Mapping[str, Sources],
    random: Sources,
    progress: bool = False,
) -> None:
    """Add to the folder of `run_tcav(out=folder, detail=True)` what its page shows beyond the tables.

    Args:
        folder: that of `out`.
        result: with its detail.
        model: that was tested.
        clips: of the class, as `run_tcav` got them.
        concepts: likewise.
        random: likewise.
        progress: whether to show a progress bar on standard error.

    Raises:
        OutputError: if a file cannot be written.
    """
    folder = Path(folder)
    _remove_earlier(folder)
    save_analysis(folder, key_of(result[0], model.name), result)
    analysis = load_analysis(folder)
    targets = {result.constants.target: None if clips is None else as_sources(clips)}
    sets = {name: as_sources(sources) for name, sources in concepts.items()}
    _write_clips(analysis, model, ClipSets(targets=targets, concepts=sets, random=as_sources(random)), progress)
    written = [folder / name for name in _TABLES if (folder / name).exists()]
    written += [path for path in files_below(folder) if _is_of_analysis(path.relative_to(folder))]
    write_json(folder / DIGESTS, digests_of(folder, written))  # last: with it the folder is complete


def _write_clips(analysis: Analysis, model: VideoModel, clips: ClipSets, progress: bool) -> None:
    """Some clips of each set, and example clips of the class with maps, if gradients were taken there and CAVs were kept."""
    experiment, target = experiment_of(analysis), analysis.which.target
    shown, sources = analysis.folder / "shown", {each.key: each for each in clips.targets[target] or ()}
    mapped = experiment.shown if experiment.at == "class" and (analysis.folder / _CAVS).exists() else 0
    previews = sum(min(PER_SET, len(sources)) for *_, sources in sets_of(clips))
    with progress_bar("clips to look at", previews + mapped, visible=progress) as advance:
        write_previews(shown / "previews", model, clips, advance)
        if mapped:
            layer = analysis.found[-1].result.layer
            examples = show_clips(model, analysis, sources, layer=layer, experiment=experiment, advance=advance)
            for number, example in enumerate(examples, start=1):
                save_shown(shown, number, example)


def _is_of_analysis(path: Path) -> bool:
    """Whether a file below the folder is one that this module writes."""
    names = ("analysis.json", "draws.safetensors", "clip_effects.parquet")
    return path.parts[0] == "shown" or path.name in names or path.match("diagnostics-*.parquet")


def _remove_earlier(folder: Path) -> None:
    """Remove what an earlier test added here, such as diagnostics that this one does not have; no file of anybody else."""
    if not (folder / DIGESTS).exists():
        return
    with damage_reported(folder / DIGESTS, TEST_AGAIN):
        earlier = dict(read_json(folder / DIGESTS))
    for path in files_below(folder):
        name = path.relative_to(folder)
        if name.as_posix() in earlier and _is_of_analysis(name):
            path.unlink()
