"""One analysis of an experiment: a run of Video-TCAV for one model, target, feature space and test, kept as files."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from safetensors.numpy import load_file, save_file

from video_tcav.core.errors import ExperimentError
from video_tcav.core.files import atomic_path, read_json, reason_of, write_json
from video_tcav.core.tables import write_parquet
from video_tcav.experiments.digests import DAMAGE
from video_tcav.gram.significance import Significance
from video_tcav.recording.feature_spaces import Space
from video_tcav.tcav import ConceptResult, TcavResult
from video_tcav.tcav.diagnostics import warnings as remarks_on

Draws = Float[np.ndarray, " draw"]


@dataclass(frozen=True, kw_only=True, order=True)
class Which:
    """Which analysis.

    Attributes:
        model: its name in the experiment.
        target: class that is explained.
        space: feature space.
        test: how significance was tested.
    """

    model: str
    target: str
    space: Space
    test: Significance

    def folder_name(self, number: int) -> str:
        """A name that a person can read and a file system can hold."""
        words = "-".join((self.model, self.target, self.space, self.test))
        return f"{number:03d}-{re.sub(r'[^A-Za-z0-9.]+', '_', words)[:100]}"


@dataclass(frozen=True, kw_only=True)
class Found:
    """One result with its draws, see `Measured`."""

    result: ConceptResult
    by_clip: Draws
    null: Draws
    bootstrap: Draws


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """One analysis, as its folder holds it.

    Attributes:
        which: what was analysed.
        folder: where.
        found: every result, in order.
        clips: class clips, in the order of `by_clip`: the source's key and the window.
        class_groups: independent groups among them.
        remarks: what its diagnostics say against reading much into some of its CAVs and effects.
        record: warnings, skipped files, provenance and seconds, as in `results.json`.
    """

    which: Which
    folder: Path
    found: tuple[Found, ...]
    clips: tuple[tuple[str, int], ...]
    class_groups: int
    remarks: tuple[str, ...]
    record: Mapping[str, Any]

    def get(self, concept: str, layer: str, *, versus: str = "random", twin: str = "none") -> Found | None:
        """The result of one concept at one layer, if there is one."""
        wanted = (concept, layer, versus, twin)
        for one in self.found:
            if (one.result.concept, one.result.layer, one.result.versus, one.result.twin) == wanted:
                return one
        return None

    def diagnostics(self) -> dict[str, pd.DataFrame]:
        """Tables of the diagnostics, by name: see `tcav.diagnose`.

        Raises:
            ExperimentError: if a file is damaged.
        """
        files = sorted(self.folder.glob("diagnostics-*.parquet"))
        try:
            return {path.stem.removeprefix("diagnostics-"): pd.read_parquet(path) for path in files}
        except DAMAGE as error:
            raise _damaged(self.folder, error) from error

    def to_frame(self) -> pd.DataFrame:
        """One row a result, with the model's name in the experiment."""
        frame = pd.DataFrame([asdict(one.result) for one in self.found])
        frame.insert(0, "model", self.which.model)
        return frame


def save_analysis(folder: Path, which: Which, result: TcavResult) -> None:
    """Add to what `run_tcav` wrote into `folder` all that `load_analysis` needs.

    Raises:
        OutputError: if the folder cannot be written to.
    """
    assert result.detail is not None
    arrays: dict[str, np.ndarray] = {}
    for number, one in enumerate(result.detail.measured):
        for name in ("by_clip", "null", "bootstrap"):
            arrays[f"{number}.{name}"] = np.ascontiguousarray(getattr(one, name), dtype=np.float64)
    with atomic_path(folder / "draws.safetensors") as temporary:
        save_file(arrays, temporary)
    write_parquet(folder / "clip_effects.parquet", result.detail.clip_frame())
    for name, frame in result.detail.diagnostics.to_frames().items():
        write_parquet(folder / f"diagnostics-{name}.parquet", frame)
    clips = [[clip.source, clip.window] for clip in result.detail.class_clips]
    facts = {"clips": clips, "class_groups": result.detail.n_class_groups}
    write_json(folder / "analysis.json", {**asdict(which), **facts, "remarks": remarks_on(result.detail.diagnostics)})


def load_analysis(folder: Path) -> Analysis:
    """Read an analysis.

    Raises:
        ExperimentError: if a file is missing or damaged.
    """
    try:
        about = read_json(folder / "analysis.json")
        record = read_json(folder / "results.json")
        rows = pd.read_parquet(folder / "results.parquet").to_dict("records")
        draws = load_file(folder / "draws.safetensors")
        _check_facts(about, record)
        found = tuple(
            Found(
                result=ConceptResult(**{str(name): value for name, value in row.items()}),
                by_clip=draws[f"{number}.by_clip"],
                null=draws[f"{number}.null"],
                bootstrap=draws[f"{number}.bootstrap"],
            )
            for number, row in enumerate(rows)
        )
        return Analysis(
            which=Which(**{name: about[name] for name in ("model", "target", "space", "test")}),
            folder=folder,
            found=found,
            clips=tuple((str(source), int(window)) for source, window in about["clips"]),
            class_groups=int(about["class_groups"]),
            remarks=tuple(about["remarks"]),
            record=record,
        )
    except DAMAGE as error:
        raise _damaged(folder, error) from error


def _damaged(folder: Path, error: Exception) -> ExperimentError:
    return ExperimentError(
        f"{folder}: an analysis must be whole. Got: {reason_of(error)[:200]}. Delete the folder and run the experiment again"
        " with --resume."
    )


def _check_facts(about: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    """Refuse values of a type that readers of an analysis do not expect."""
    texts = [about[name] for name in ("model", "target", "space", "test")] + [*about["remarks"], *record["warnings"]]
    if not all(isinstance(text, str) for text in texts) or not isinstance(
        record["provenance"].get("clips", {}), Mapping
    ):
        raise ValueError("values of other types")


def finish_folder(partial: Path, final: Path) -> None:
    """Give a finished folder its name; what stood there unfinished is gone."""
    if final.exists():
        shutil.rmtree(final)
    partial.rename(final)
