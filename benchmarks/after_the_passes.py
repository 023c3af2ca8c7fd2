"""What everything after the model passes costs, as a share of the passes: r3d_18 at 16×112×112, three layers.

    python benchmarks/after_the_passes.py

8 concepts, 500 random sets, 9,999 permutations, 1,000 bootstraps.
"""

import argparse
import tempfile
from pathlib import Path

from against_captum import write_noise

import video_tcav as vt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=10, help="in each of 8 concepts, and of the class")
    parser.add_argument("--random", type=int, default=50)
    options = parser.parse_args()
    model = vt.load_model("torchvision:r3d_18", device="cpu")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for index in range(8):
            write_noise(root / f"concept{index}", options.clips, model.clip_spec, index)
        write_noise(root / "random", options.random, model.clip_spec, 1000)
        write_noise(root / "class", options.clips, model.clip_spec, 5000)
        result = vt.run_tcav(
            model,
            target=0,
            clips=root / "class",
            concepts={f"concept{index}": root / f"concept{index}" for index in range(8)},
            random=root / "random",
            layers=["layer2", "layer3", "layer4"],
        )
    passes = result.seconds["passes"]
    after = result.seconds["gram"] + result.seconds["statistics"]
    print(dict(result.seconds))
    print(f"after the passes: {after:.1f} s, {after / passes:.1%} of the passes ({passes:.1f} s)")


if __name__ == "__main__":
    main()
