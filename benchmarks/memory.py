"""Peak resident memory with a layer of 3 million values and 300 clips, above that of the model alone.

    python benchmarks/memory.py --clips 300 --memory 2GB

The budget is what `--memory` says; the peak must stay within 1 GB of it, and must not grow with random sets or permutations.
"""

import argparse
import resource
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

import video_tcav as vt
from video_tcav.recording.rows import parse_bytes


class Wide(nn.Module):
    """One layer of `values` activations for a clip of 16×28×28."""

    clip_spec = {"frames": 16, "stride": 1, "size": 28, "mean": 0.45, "std": 0.225}

    def __init__(self, values: int) -> None:
        super().__init__()
        self.wide = nn.Conv3d(3, values // (16 * 28 * 28), 1)
        self.head = nn.Linear(self.wide.out_channels, 4)

    def forward(self, clip: Tensor) -> Tensor:
        return self.head(self.wide(clip).relu().mean((2, 3, 4)))


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=300, help="concept and random clips together")
    parser.add_argument("--values", type=int, default=3_000_000)
    parser.add_argument("--memory", default="2GB")
    parser.add_argument("--random-sets", type=int, default=500)
    parser.add_argument("--permutations", type=int, default=9999)
    options = parser.parse_args()
    network = Wide(options.values)
    model = vt.load_model(network, classes=list("abcd"), device="cpu")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        modules = {"concept": options.clips // 3, "random": options.clips - options.clips // 3, "class": 10}
        generator = torch.Generator().manual_seed(0)
        for module, count in modules.items():
            (root / module).mkdir()
            for index in range(count):
                clip = torch.randint(0, 256, (16, 3, 28, 28), generator=generator, dtype=torch.uint8)
                vt.write_video(root / module / f"{index:03d}.mp4", clip)
        vt.predict(model, root / "class")
        before = peak_gb()
        result = vt.run_tcav(
            model,
            target=0,
            clips=root / "class",
            concepts={"concept": root / "concept"},
            random=root / "random",
            layers=["wide"],
            memory=options.memory,
            random_sets=options.random_sets,
            permutations=options.permutations,
        )
    after, budget = peak_gb(), parse_bytes(options.memory) / 1e9
    beside = after - before - budget
    print(
        f"model alone {before:.2f} GB, with the run {after:.2f} GB: {beside:+.2f} GB beside the budget of {budget:g} GB"
    )
    print(f"on disk: {result.provenance['spilled'] or 'nothing'}; {dict(result.seconds)}")


if __name__ == "__main__":
    main()
