"""Where and when each model of the demo looked: its map on the clip, as a loop and as frames, and each moment's share of heat."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from video_tcav.demo.demo import DemoModel
from video_tcav.reports.charts import SERIES, bare_lines, panels
from video_tcav.reports.clips import ShownClip, picture_uri, video_uri
from video_tcav.reports.effect_charts import Chart, at_both_widths
from video_tcav.reports.maps.canvas import resized
from video_tcav.reports.maps.contact_sheet import chosen_frames, frame_shares
from video_tcav.reports.maps.files import ShownMap, on_video
from video_tcav.reports.maps.heat import blend_heat

# Heat is stronger than usual, since the pictures are small.
_FRAMES, _SIZE_PX, _STRENGTH = 6, 192, 0.85


@dataclass(frozen=True, kw_only=True)
class Look:
    """Where and when one model looked.

    Attributes:
        letter: of the model.
        loop: the clip with its heat.
        frames: some of its frames with their times in seconds; the hottest is among them.
        hottest: number of the hottest of these frames.
        shares: of each frame of the clip, the share of the heat that raises the target; they add up to one.
        times_s: of each frame of the clip.
    """

    letter: str
    loop: ShownClip
    frames: tuple[tuple[ShownClip, float], ...]
    hottest: int
    shares: tuple[float, ...]
    times_s: tuple[float, ...]


def looks_of(models: Sequence[DemoModel]) -> list[Look]:
    """One look a model, read from the clip that the demo wrote."""
    return [_look(model.letter, on_video(model.explanation)) for model in models]


def _look(letter: str, shown_map: ShownMap) -> Look:
    heat = shown_map.heat.clamp(min=0)
    frames, large_heat, _ = resized(shown_map.frames, heat, None, _SIZE_PX, _SIZE_PX)
    blended = blend_heat(frames, large_heat, signed=False, strength=_STRENGTH)
    chosen, hottest = chosen_frames(heat, _FRAMES)
    label = f"The clip with what raised “playing tennis” in model {letter} in orange"
    return Look(
        letter=letter,
        loop=ShownClip(uri=video_uri(blended, fps=shown_map.fps), label=f"{label}.", moves=True),
        frames=tuple(
            (
                ShownClip(uri=picture_uri(blended[frame]), label=f"{label}, at {time_s:.2f} s.", moves=False),
                time_s,
            )
            for frame, time_s in zip(chosen.tolist(), shown_map.times_s[chosen].tolist(), strict=True)
        ),
        hottest=hottest,
        shares=tuple(frame_shares(heat)[0].tolist()),
        times_s=tuple(shown_map.times_s.tolist()),
    )


def looks_chart(looks: Sequence[Look]) -> Chart:
    """When each model looked: the share of its heat at each moment."""
    peaks = ", ".join(
        f"model {look.letter} most at {look.times_s[int(np.argmax(look.shares))]:.2f} s" for look in looks
    )
    label = f"Share of each model's heat over the clip: {peaks}."
    return Chart(name="looks", label=label, **at_both_widths(partial(_draw_shares, looks)))


def _draw_shares(looks: Sequence[Look], width: float) -> Figure:
    figure, (axes,) = panels(height=2.2, width=width)
    for look, series in zip(looks, SERIES, strict=False):
        shares = [100 * share for share in look.shares]
        axes.plot(
            look.times_s,
            shares,
            color=series.colour,
            marker=series.marker,
            markersize=5,
            linewidth=1.6,
            label=f"model {look.letter}",
        )
    axes.set(xlabel="time in the clip, seconds", ylabel="share of its heat, %")
    axes.set_ylim(bottom=0)
    bare_lines(axes)
    figure.legend(loc="outside upper left", ncols=len(looks), borderaxespad=0)
    return figure
