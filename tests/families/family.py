"""A family of models as a user has it, and what the tool makes of it: one row of the table in docs/models.md."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

import video_tcav as vt
from tests.unit.models.networks import layers_that_single_cells_contradict
from video_tcav.attribution import make_method
from video_tcav.models import VideoModel
from video_tcav.models.axes.spacing import layer_spacings
from video_tcav.models.layers import layers_axes, noise_clip

from .audited import audit_agrees

TOLERANCE = 1e-5
COLUMNS = ("loads", "outputs as the original code", "axes", "default layers", "Grad-CAM", "`test`", "`audit`")
YES = "yes"
CLASSES = ("walk", "run", "wave", "jump", "sit")


def _two_noise_clips(model: VideoModel) -> Tensor:
    return torch.cat([noise_clip(model, seed=seed) for seed in (7, 8)])


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family, loaded in the way in which a user has it.

    Attributes:
        name: of the row.
        load: from what it writes into a folder.
        original: what the code that published it returns for prepared clips, from the same folder.
        clips: those that it is asked for.
        in_place: changes the loaded network so that positions stay where they are, where random weights move them.
    """

    name: str
    load: Callable[[Path], VideoModel]
    original: Callable[[Path, VideoModel, Tensor], Tensor]
    clips: Callable[[VideoModel], Tensor] = _two_noise_clips
    in_place: Callable[[nn.Module], None] | None = None


def row(family: Family, folder: Path) -> list[str]:
    """What each column says of the family, measured."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = family.load(folder)
        outputs = _outputs_agree(family, folder, model)
        if family.in_place is not None:
            family.in_place(model.module)
        checks = (_axes_hold, _stages, _map_is_on_the_square, _test_runs, _audit_runs)
        return [YES, outputs, *(check(model) for check in checks)]


def _outputs_agree(family: Family, folder: Path, model: VideoModel) -> str:
    clips = family.clips(model)
    with torch.no_grad():
        expected, actual = family.original(folder, model, clips), model.values(clips)
    assert float(expected.std()) > 0, "outputs that do not depend on the clip would prove nothing"
    return YES if torch.allclose(expected, actual, rtol=0, atol=TOLERANCE) else "no"


def _axes_hold(model: VideoModel) -> str:
    return "no" if layers_that_single_cells_contradict(model) else YES


def _stages(model: VideoModel) -> str:
    return str(len(model.stages()))


def square_clips(model: VideoModel) -> tuple[Tensor, Tensor]:
    """A dim clip, and one with a bright square in the later half of its frames; and where the square is."""
    clip = 0.3 * noise_clip(model)
    there = torch.zeros(tuple(clip.movedim(model.clip_spec.time_dim + 1, 1)[0, :, 0].shape), dtype=torch.bool)
    time, height, width = there.shape
    there[time * 5 // 8 : time * 7 // 8, height // 8 : height * 3 // 8, width * 5 // 8 : width * 7 // 8] = True
    bright = clip.clone().movedim(model.clip_spec.time_dim + 1, 1)  # (clip, time, channel, height, width)
    bright += 3.0 * there[None, :, None]
    return torch.cat([clip, bright.movedim(1, model.clip_spec.time_dim + 1)]), there


def square_is_hit(model: VideoModel, layer: str) -> bool:
    """Whether the middle of where Grad-CAM of a layer changes is on the square, give or take one position of the layer."""
    clips, there = square_clips(model)
    maps = make_method("gradcam", layers=[layer])(model, clips, target=0)
    dim, bright = maps.layers[layer].double()
    change = (bright - dim).abs()
    change = torch.where(
        change > change.max() / 2, change, 0
    )  # the strongest part: its feet are as wide as the kernels
    spacings = layer_spacings(model, layers_axes(model, [layer]))[layer]
    for axis, spacing in enumerate(spacings):
        away = [other for other in range(3) if other != axis]
        inside, shares = there.any(dim=away).nonzero().flatten(), change.sum(away) / change.sum()
        centre = spacing.first + float(shares @ torch.arange(len(shares)).double()) * spacing.step
        if not inside[0] - spacing.step <= centre <= inside[-1] + spacing.step:
            return False
    return True


def _map_is_on_the_square(model: VideoModel) -> str:
    return YES if square_is_hit(model, model.stages()[0]) else "no"


def _test_runs(model: VideoModel) -> str:
    time, (height, width) = model.clip_spec.frames, model.clip_spec.size or (64, 64)
    generator = torch.Generator().manual_seed(3)
    clips = [
        # channels last: three frames of three channels could be either
        (f"clip-{number}", torch.randint(0, 256, (time, height, width, 3), dtype=torch.uint8, generator=generator))
        for number in range(10)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few clips show nothing, which the result says
        result = vt.run_tcav(
            model,
            target=0,
            clips=clips[:3],
            concepts={"bright": clips[3:6]},
            random=clips[6:],
            layers=model.stages()[-1:],
            permutations=20,
            bootstraps=20,
        )
    table = result.to_frame()
    return YES if len(table) and table["effect"].notna().all() else "no"


def _audit_runs(model: VideoModel) -> str:
    return YES if audit_agrees(model) else "no"
