"""End to end against Captum's TCAV, in one process, on the same model, clips and layers.

    python benchmarks/against_captum.py --model file:net.py:build --weights net.safetensors --layer stages.2 --layer stages.3

Both sides see the same clips. Ours decodes them from files; Captum gets them decoded and prepared, in memory, which is
in its favour. Captum's classifier is its default, and its clips are passed in batches as ours are. Absolute times mean
little; the ratio is what counts.
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import torch

import video_tcav as vt
from video_tcav.media import read_clips

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from captum.attr import LayerGradientXActivation
    from captum.concept import TCAV, Concept


class Batches(torch.utils.data.IterableDataset):
    """Prepared clips in batches, as Captum's loaders want them."""

    def __init__(self, clips: torch.Tensor, size: int = 8) -> None:
        self.clips, self.size = clips, size

    def __iter__(self):
        return iter(self.clips.split(self.size))


def write_noise(folder: Path, count: int, spec: vt.ClipSpec, seed: int) -> None:
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(seed)
    height, width = spec.size or (112, 112)
    for index in range(count):
        frames = spec.frames * spec.stride
        coarse = torch.randint(0, 256, (frames, 3, 8, 8), generator=generator).float()
        clip = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
        vt.write_video(folder / f"{index:04d}.mp4", clip.to(torch.uint8))


def prepared(model: vt.VideoModel, folder: Path) -> torch.Tensor:
    return torch.stack([model.prepare(read_clips(one, model.clip_spec)[0]) for one in vt.find_videos(folder)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="file:examples/moving_shapes.py:build")
    parser.add_argument("--weights")
    parser.add_argument("--layer", action="append")
    parser.add_argument("--concepts", type=int, default=8)
    parser.add_argument("--clips", type=int, default=20, help="in each concept, each random set, and of the class")
    parser.add_argument("--random-sets", type=int, default=30)
    options = parser.parse_args()
    model = vt.load_model(options.model, weights=options.weights, device="cpu")
    layers = options.layer or list(model.default_layers[-2:])
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for index in range(options.concepts):
            write_noise(root / f"concept{index}", options.clips, model.clip_spec, index)
        for index in range(options.random_sets):
            write_noise(root / "random" / f"set{index:02d}", options.clips, model.clip_spec, 1000 + index)
        write_noise(root / "class", options.clips, model.clip_spec, 5000)

        start = time.perf_counter()
        result = vt.run_tcav(
            model,
            target=0,
            clips=root / "class",
            concepts={f"concept{index}": root / f"concept{index}" for index in range(options.concepts)},
            random=root / "random",
            layers=layers,
            random_sets=options.random_sets,
        )
        ours = time.perf_counter() - start
        print(
            f"video-tcav: {ours:.1f} s {dict(result.seconds)}, with 9,999 permutations and 1,000 bootstraps", flush=True
        )

        concepts = [prepared(model, root / f"concept{index}") for index in range(options.concepts)]
        randoms = [prepared(model, root / "random" / f"set{index:02d}") for index in range(options.random_sets)]
        inputs = prepared(model, root / "class")
        numbered = [
            Concept(index, f"c{index}", torch.utils.data.DataLoader(Batches(clips), batch_size=None))
            for index, clips in enumerate([*concepts, *randoms])
        ]
        sets = [[one, other] for one in numbered[: options.concepts] for other in numbered[options.concepts :]]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = time.perf_counter()
            attribution = LayerGradientXActivation(model.module, None, multiply_by_inputs=False)
            tcav = TCAV(model.module, layers, layer_attr_method=attribution, save_path=str(root / "captum"))
            tcav.interpret(inputs, sets, target=0)
            theirs = time.perf_counter() - start
        print(f"Captum:     {theirs:.1f} s, {len(sets)} CAVs a layer, no permutations, no bootstraps")
        print(f"ratio:      {theirs / ours:.1f}")


if __name__ == "__main__":
    main()
