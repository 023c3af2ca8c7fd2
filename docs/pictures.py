"""The pictures of the README: `python docs/pictures.py` makes them again, in a few minutes.

`images/demo.png` moves (APNG, which keeps true colours): a clip of the demo with the heat of both models, their effects and
verdicts. `images/explain-sheet.png` is a sheet that `video-tcav explain` writes.
"""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

import video_tcav as vt
from video_tcav.cli.app import app
from video_tcav.demo import DemoModel, run_demo
from video_tcav.demo.demo import TARGET, demo_clips
from video_tcav.rendered import render
from video_tcav.rendered.dataset import FPS
from video_tcav.reports import blend_heat, on_video
from video_tcav.reports.charts import INK, MUTED, PAPER

IMAGES = Path(__file__).parent / "images"
CONCEPTS = ("swing", "court", "racket")
METHOD = "ig"
# Of the 20 clips of the demo's class, one in which the whole swing is in the picture.
CLIP = 8
# Pixels: the picture, a clip in it, and the corner of model A's clip; model B's is one row below.
WIDTH, HEIGHT, SIDE, CORNER, ROW = 720, 492, 208, (24, 28), 236
WAVE = "00005"  # the clip of `write_sheet` on a street
FRAME_MS = 160  # half of the clip's own speed, so that the heat can be followed
RAISES = "#b34700"  # as on the program's pages


def main() -> None:
    """Write both pictures."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        models = run_demo(root / "demo", progress=True).models
        write_demo_picture(IMAGES / "demo.png", models, [heat_frames(model.spec, root) for model in models])
        write_sheet(IMAGES / "explain-sheet.png", root / "world")


def heat_frames(spec: str, folder: Path) -> Tensor:
    """The clip with the model's heat on top, `(time, 3, height, width)`."""
    factors = demo_clips(0)["class"][CLIP]
    # Sensor noise would make the file five times as large.
    factors = replace(factors, nuisance=replace(factors.nuisance, noise=0.0, shake=0.0))
    clip = render(factors, size=SIDE).clip
    vt.write_video(folder / "clip.mp4", clip, fps=FPS)
    [explanation] = vt.explain(
        vt.load_model(spec), folder / "clip.mp4", target=TARGET, methods=[METHOD], check=False
    ).explanations
    return blend_heat(clip, on_video(explanation).heat.clamp(min=0), signed=False, strength=0.85)


def write_demo_picture(path: Path, models: Sequence[DemoModel], clips: Sequence[Tensor]) -> None:
    """Text and bars stand still; only the clips change from frame to frame."""
    still = Image.fromarray(_still(models))
    pictures = []
    for frames in zip(*clips, strict=True):
        picture = still.copy()
        for row, frame in enumerate(frames):
            picture.paste(Image.fromarray(frame.permute(1, 2, 0).numpy()), (CORNER[0], CORNER[1] + row * ROW))
        pictures.append(picture)
    first, *others = pictures
    first.save(path, save_all=True, append_images=others, duration=FRAME_MS, loop=0, optimize=True)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def _still(models: Sequence[DemoModel]) -> UInt8[np.ndarray, "height width 3"]:
    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100, facecolor=PAPER)
    canvas = FigureCanvasAgg(figure)
    limit = 1.08 * max(_effect(model, concept).effect_high for model in models for concept in CONCEPTS)
    for row, model in enumerate(models):
        top = CORNER[1] + row * ROW
        left = CORNER[0] + SIDE + 28
        _text(figure, left, top + 16, f'Model {model.letter} says "{TARGET}". What raises it?', weight="bold")
        _draw_bars(figure, model, (left, top + 34, WIDTH - left - 24, 118), limit)
        verdict, _, numbers = model.verdict.sentence.partition(" (")
        _text(figure, left, top + 178, verdict + ".", weight="bold", color=RAISES)
        _text(figure, left, top + 200, numbers.partition(")")[0], size=11.5, color=MUTED)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _effect(model: DemoModel, concept: str) -> vt.ConceptResult:
    """At the deepest stage."""
    return [row for row in model.result.results if row.concept == concept and row.twin == "none"][-1]


def _draw_bars(figure: Figure, model: DemoModel, box: tuple[int, int, int, int], limit: float) -> None:
    """A bar with its interval for each concept; `box` is left, top, width and height in pixels."""
    left, top, width, height = box
    names = 74
    axes = figure.add_axes(
        ((left + names) / WIDTH, 1 - (top + height) / HEIGHT, (width - names) / WIDTH, height / HEIGHT)
    )
    for place, concept in enumerate(CONCEPTS):
        row = _effect(model, concept)
        axes.barh(place, row.effect, height=0.56, color=RAISES)
        axes.plot((row.effect_low, row.effect_high), (place, place), color=INK, linewidth=1.6, solid_capstyle="round")
        axes.text(max(row.effect_high, 0) + limit / 40, place, _signed(row.effect), va="center", color=INK, fontsize=12)
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.set(xlim=(-0.3, 1.12 * limit), ylim=(len(CONCEPTS) - 0.5, -0.5), xticks=(), facecolor="none")
    axes.set_yticks(range(len(CONCEPTS)), CONCEPTS, fontsize=13, color=INK)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _signed(effect: float) -> str:
    return f"{effect:+.1f}" if abs(effect) >= 0.05 else "0.0"


def _text(figure: Figure, left: int, baseline: int, text: str, *, size: float = 12.5, **style: str) -> None:
    figure.text(left / WIDTH, 1 - baseline / HEIGHT, text, **{"fontsize": size, "color": INK, **style})


def write_sheet(path: Path, folder: Path) -> None:
    """A figure that waves a racket on a street, by the model that names what a figure holds; as docs/explaining.md makes it."""
    world = ["benchmark", "world", str(folder), "--rule", "object", "--count", "8", "--size", "256", "--seed", "1"]
    maps = ["explain", "--model", "rendered:r2plus1d-object", str(folder / TARGET), "--method", METHOD]
    for command in (world, [*maps, "--format", "png", "--out", str(folder / "maps")]):
        app(command, standalone_mode=False)
    shutil.copyfile(folder / "maps" / f"{WAVE}-{METHOD}.png", path)


if __name__ == "__main__":
    main()
