"""The files of a result: small tables first, CAVs, which may be large, after them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from video_tcav.core.result_files import RESULTS, write_result
from video_tcav.core.tables import write_csv, write_parquet
from video_tcav.tcav.cav_files import save_cavs
from video_tcav.tcav.cav_key import CavKey
from video_tcav.tcav.completeness.results import MANIFEST, RunCompleteness
from video_tcav.tcav.interventions.effects import effects_frame
from video_tcav.tcav.result import TcavResult
from video_tcav.tcav.saved_cavs import SavedCav

Aucs = Mapping[CavKey, float]


def save_result(folder: Path, result: TcavResult, cavs: Callable[[Aucs], Sequence[SavedCav]] | None) -> None:
    """Write the tables of a result, and its CAVs.

    Args:
        folder: where.
        result: what was measured.
        cavs: makes them, from the AUC of each; `None` where there are none.

    Raises:
        UnsavedResultError: if any file cannot be written, with the result and what is there.
    """
    writers: dict[str, Callable[[Path], object]] = {
        RESULTS: result.to_json,
        "results.parquet": result.to_parquet,
        "results.csv": result.to_csv,
    }
    (folder / "analysis.json").unlink(missing_ok=True)  # draws of another result, which the command line adds
    completeness = None if result.detail is None else result.detail.completeness
    if isinstance(completeness, RunCompleteness) and completeness.has_files:
        writers[MANIFEST] = completeness.write_manifest
    else:
        (folder / MANIFEST).unlink(missing_ok=True)
    edits = ("interventions.parquet", "interventions.csv")
    if result.interventions:
        table = effects_frame(result.interventions)
        writers[edits[0]] = lambda path: write_parquet(path, table)
        writers[edits[1]] = lambda path: write_csv(path, table)
    else:
        for name in edits:  # of another run
            (folder / name).unlink(missing_ok=True)
    if cavs is None:
        (folder / "cavs.safetensors").unlink(missing_ok=True)  # of another run
    else:
        auc = {measurement.key: measurement.cav_auc for measurement in result.measurements}
        writers["cavs.safetensors"] = lambda path: save_cavs(path, cavs(auc))
    # tables first: they are small, and are there if the disk is full before the last CAV
    write_result(folder, result, writers)
