"""Grad-CAM at four layers beside the bare passes and beside pytorch-grad-cam, in one process, and rendering.

python benchmarks/attribution.py [--rounds 5]

r3d_18 (random weights), a batch of 4 clips of 16 x 112 x 112. Both libraries give maps of the clip's own size for all four
layers. The bare passes are one forward and one backward to the input, with the parameters frozen: the lower bound of any
gradient method.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
from pytorch_grad_cam import GradCAM as Peer
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

import video_tcav as vt
from video_tcav.attribution import GradCAM
from video_tcav.attribution.attribution_map import to_clip
from video_tcav.models import parse_target
from video_tcav.models.hooks import untouched
from video_tcav.reports.maps.overlay import write_overlay

LAYERS = ("layer1", "layer2", "layer3", "layer4")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    model = vt.load_model("torchvision:r3d_18", device="cpu")
    clips = torch.randn(4, 3, 16, 112, 112, generator=torch.Generator().manual_seed(0))
    target = parse_target(model, 0, "log_odds")
    method = GradCAM(layers=LAYERS)

    def bare() -> None:
        with untouched(model.module):
            inputs = clips.clone().requires_grad_()
            torch.autograd.grad(target(model.logits(inputs)).sum(), inputs)

    def ours() -> None:
        seconds = method(model, clips, target=target)
        for layer in LAYERS:
            seconds.values(layer)

    def theirs() -> None:

        with Peer(model.module, [model.layer(name) for name in LAYERS]) as peer:
            peer(clips, [ClassifierOutputTarget(0)] * len(clips))

    sides = {"bare forward and backward": bare, "video-tcav": ours, "pytorch-grad-cam": theirs}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, side in sides.items():
            start = time.perf_counter()
            side()
            if number:  # the first round warms up
                times[name].append(time.perf_counter() - start)
    best = {name: min(seconds) for name, seconds in times.items()}
    for name, seconds in best.items():
        print(f"{name:28} {seconds:7.3f} s")
    print(f"video-tcav / bare passes     {best['video-tcav'] / best['bare forward and backward']:7.2f}   (limit 1.15)")
    print(f"video-tcav / pytorch-grad-cam {best['video-tcav'] / best['pytorch-grad-cam']:6.2f}   (limit 0.5)")
    print(f"upsample, blend, encode      {min(rendering() for _ in range(rounds)):7.3f} s  (limit 0.25)")


def rendering() -> float:
    """Seconds for a map of a layer's grid to become a video of 16 frames of 320 x 240."""
    generator = torch.Generator().manual_seed(1)
    frames = torch.randint(0, 256, (16, 3, 30, 40), generator=generator, dtype=torch.uint8)
    frames = frames.repeat_interleave(8, 2).repeat_interleave(8, 3)
    layer_map = torch.rand(1, 4, 7, 7, generator=generator)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        heat = to_clip(layer_map, (16, 240, 320))[0]
        write_overlay(Path(folder) / "overlay.mp4", frames, heat, fps=25, signed=False)
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
