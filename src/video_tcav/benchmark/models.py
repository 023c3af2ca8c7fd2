"""The models of the benchmark: the packaged networks of the rendered world, each with its rule."""

from collections.abc import Sequence

from video_tcav.core.checks import one_of
from video_tcav.models import VideoModel, load_model
from video_tcav.rendered import Rule, rule_of
from video_tcav.rendered.models import rendered_names


def benchmark_models(names: Sequence[str] | None = None) -> list[tuple[VideoModel, Rule]]:
    """Models and their rules.

    Args:
        names: such as `rendered:r2plus1d-motion`; all if not given.

    Raises:
        InputError: for another name.
    """
    available = [f"rendered:{name}" for name in rendered_names()]
    chosen = [one_of("model", name, available) for name in dict.fromkeys(names or available)]
    # The CPU: its numbers differ least from one machine to another.
    return [(load_model(name, device="cpu"), rule_of(name.rpartition("-")[2])) for name in chosen]


def benchmark_name(version: str, models: int) -> str:
    """The name under which scores may be compared: that of the version, with the number of models where some are left out."""
    total = len(rendered_names())
    return version if models == total else f"{version}, {models} of {total} models"


def architecture_of(model: VideoModel) -> str:
    """`r2plus1d` or `transformer`."""
    return model.name.removeprefix("rendered:").partition("-")[0]
