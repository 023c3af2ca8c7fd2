"""Settings of a recording: the one place of each, with its default, bounds and help text."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from video_tcav.core.settings import Settings, setting

Space = Literal["flatten", "space", "time", "spacetime"]
AskedPrecision = Literal["auto", "float32", "bfloat16"]
PRECISIONS: tuple[AskedPrecision, ...] = get_args(AskedPrecision)
LEAST_SKETCH, USUAL_SKETCH = 64, 1024
"""Values of a sketch: with fewer, inner products are off by more than a sixth of the rows' lengths."""


@dataclass(frozen=True, kw_only=True)
class RecordingSettings(Settings):
    """How clips are passed through a model, and what is kept of their activations and gradients."""

    TITLE = "Model passes"

    space: Space = setting(
        "flatten",
        "Positions to average before learning a CAV: none, those of height and width, of time, or both.",
        docs="See [feature spaces](method.md#feature-spaces).",
    )
    windows: int = setting(
        1,
        "Clips taken from each video.",
        least=1,
        most=10_000,
        methods="From each video, {value} clips were taken.",
    )
    memory: str | int = setting(
        "2GB",
        "Memory for activations and gradients; what goes beyond it is kept on disk during the run.",
        metavar="SIZE",
        changes_results=False,
        docs="The disk is the folder for temporary files (`TMPDIR`).",
    )
    sketch: int | None = setting(
        None,
        "Keep N values of each row, for many clips: effects of the mean CAV stay exact, accuracies and other CAVs are "
        f"estimates. Try {USUAL_SKETCH}.",
        least=LEAST_SKETCH,
        most=2**24,
        metavar="N",
        methods="Inner products of activations come from CountSketches of {value} values a clip.",
        docs="See [many clips](scaling.md#many-clips).",
    )
    precision: AskedPrecision = setting(
        "float32",
        "Of the passes: the model's own, or bfloat16 products, about twice as fast where the hardware has them; auto takes these "
        "where the model bears it.",
        methods="Clips were passed with products in {value}.",
        docs="See [speed](speed.md#which-precision).",
    )
    threads: int = setting(2, "Files decoded at once, beside the model.", least=1, most=1024, changes_results=False)
    workers: int | None = setting(
        None,
        "Processes that share the passes, each with the model, or actors on Ray.",
        default_text="1, or what the cluster has room for",
        least=1,
        most=10_000,
        metavar="N",
        changes_results=False,
        docs="See [scaling](scaling.md).",
    )
    backend: str = setting(
        "local",
        "Where the passes are done.",
        metavar="local|ray[:ADDRESS]",
        changes_results=False,
        docs="See [a Ray cluster](scaling.md#a-ray-cluster).",
    )
    store: Path | None = setting(
        None,
        "Activation store: what it holds is not computed again, and a killed run goes on.",
        metavar="DIR",
        option="cache",
        changes_results=False,
        docs="See [activation store](activation-store.md).",
    )
    strict: bool = setting(
        False, "Stop at the first file that cannot be used, instead of listing it.", changes_results=False
    )

    def for_provenance(self, **resolved: Any) -> dict[str, Any]:
        """The settings that can change results, some with what became of them (`precision="bfloat16"` for `auto`)."""
        return super().for_provenance() | resolved
