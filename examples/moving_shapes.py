"""A model of one's own: clips of a moving square, a small network that learns its direction, and the question why.

`python examples/moving_shapes.py` renders clips, trains the network (about half a minute), and then runs the commands that
anybody would run on their own model. The truth is known: the class is the direction of motion, the background colour is
independent of it. So "moves right" must matter for the class "right", through the order of the frames, and "green" must not.
"""

import json
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import video_tcav as vt

DIRECTIONS = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "up": (0.0, -1.0), "down": (0.0, 1.0)}
FRAMES, SIZE = 16, 48
CLIP_SPEC = {"frames": FRAMES, "stride": 1, "size": SIZE, "mean": 0.45, "std": 0.225}


def render(directions: list[str], *, seed: int, green: bool | None = None) -> Tensor:
    """Clips `(clip, time, 3, height, width)`, uint8: a bright square that moves, on a red or green ground, with noise."""
    generator = torch.Generator().manual_seed(seed)
    count = len(directions)
    axis = torch.arange(SIZE, dtype=torch.float32)
    speed = torch.tensor([DIRECTIONS[name] for name in directions]) * (
        0.8 + 0.6 * torch.rand(count, 1, generator=generator)
    )
    middle = SIZE / 2 + 8 * (torch.rand(count, 2, generator=generator) - 0.5)
    times = torch.arange(FRAMES) - (FRAMES - 1) / 2
    centre = middle[:, None] + speed[:, None] * times[None, :, None]
    half = 4 + 3 * torch.rand(count, 1, 1, 1, generator=generator)
    across = (axis - centre[..., 0, None]).abs()[:, :, None, :]
    down = (axis - centre[..., 1, None]).abs()[:, :, :, None]
    square = torch.sigmoid((half - torch.maximum(across, down)) / 0.5)[:, :, None]
    greenish = torch.rand(count, generator=generator) < 0.5 if green is None else torch.full((count,), green)
    ground = torch.where(greenish[:, None], torch.tensor([0.1, 0.4, 0.15]), torch.tensor([0.4, 0.15, 0.1]))
    ground = ground[:, None, :, None, None] * (0.8 + 0.4 * torch.rand(count, 1, 1, 1, 1, generator=generator))
    clips = ground * (1 - square) + 0.9 * square
    clips = clips + 0.03 * torch.randn(clips.shape, generator=generator)
    return (clips.clamp(0, 1) * 255).to(torch.uint8)


class SmallVideoNet(nn.Module):
    """Three stages of 3-D convolutions; input `(clip, 3, time, height, width)`, output one logit a direction."""

    clip_spec = CLIP_SPEC

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        widths, kernels = (3, 8, 16, 16), ((3, 5, 5), (3, 3, 3), (3, 3, 3))
        self.stages = nn.Sequential(
            *(
                nn.Sequential(nn.Conv3d(a, b, k, stride=2, padding=[n // 2 for n in k]), nn.ReLU())
                for a, b, k in zip(widths, widths[1:], kernels, strict=False)
            )
        )
        self.pool = nn.AdaptiveAvgPool3d(1)
        self.head = nn.Linear(widths[-1], num_classes)

    def forward(self, clip: Tensor) -> Tensor:
        return self.head(self.pool(self.stages(clip)).flatten(1))


def build(num_classes: int = 4) -> nn.Module:
    """The factory that `--model file:examples/moving_shapes.py:build` calls."""
    return SmallVideoNet(num_classes)


def train(steps: int, *, seed: int = 0) -> tuple[nn.Module, float]:
    """Train the network on freshly rendered clips; returns it with its accuracy on 200 clips it has not seen."""
    names = list(DIRECTIONS)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build()
        optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=8e-3, total_steps=steps)
        for step in range(steps):
            labels = torch.randint(len(names), (16,), generator=torch.Generator().manual_seed(seed * 10**6 + step))
            clips = render([names[label] for label in labels], seed=seed * 10**6 + step)
            loss = nn.functional.cross_entropy(network(normalised(clips)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    labels = torch.arange(200) % len(names)
    with torch.no_grad():
        found = network.eval()(normalised(render([names[label] for label in labels], seed=10**9))).argmax(1)
    return network, float((found == labels).float().mean())


def normalised(clips: Tensor) -> Tensor:
    """What the network takes, from uint8 clips."""
    return ((clips / 255 - 0.45) / 0.225).transpose(1, 2)


def write_clips(folder: Path, directions: list[str], *, seed: int, green: bool | None = None) -> None:
    """One H.264 file a clip."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, clip in enumerate(render(directions, seed=seed, green=green)):
        vt.write_video(folder / f"{index:03d}.mp4", clip)


def main() -> None:
    out = Path("example-out")
    print("Rendering clips and training a small network on the direction of motion ...", flush=True)
    network, accuracy = train(300)
    print(f"It names the direction of {accuracy:.0%} of 200 new clips.\n")
    metadata = {"classes": json.dumps(list(DIRECTIONS))}
    save_file(network.state_dict(), out_file(out / "network.safetensors"), metadata=metadata)
    every = list(DIRECTIONS)
    write_clips(out / "clips/right", ["right"] * 20, seed=1)
    write_clips(out / "concepts/moves-right", ["right"] * 20, seed=2)
    write_clips(out / "concepts/green", [every[i % 4] for i in range(20)], seed=3, green=True)
    write_clips(out / "random", [every[i % 4] for i in range(60)], seed=4, green=False)
    model = ["--model", "file:examples/moving_shapes.py:build", "--weights", str(out / "network.safetensors")]
    run("predict", *model, str(out / "clips/right/000.mp4"), "--top", "2")
    run("layers", *model)
    run(
        *("test", *model, "--target", "right", "--clips", str(out / "clips/right"), "--random", str(out / "random")),
        *("--concept", f"moves-right={out / 'concepts/moves-right'}", "--concept", f"green={out / 'concepts/green'}"),
        *("--twin", "frozen", "--twin", "reversed", "--out", str(out / "run")),
    )


def out_file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def run(*arguments: str) -> None:
    """Print a command, then run it as a user would."""
    print("$ video-tcav " + " ".join(arguments), flush=True)
    subprocess.run([sys.executable, "-m", "video_tcav", *arguments], check=True)
    print(flush=True)


if __name__ == "__main__":
    main()
