"""End to end against Captum's TCAV, in one process, on the same model, clips and layers.

    python benchmarks/against_captum.py --model file:net.py:build --weights net.safetensors --layer stages.2 --layer stages.3

Both sides see the same clips, in batches of eight, and decode them from files with the same decoder, Captum through an
iterable dataset as in its own tutorial. With --captum-in-memory Captum gets them decoded and prepared, while ours still decodes.
Captum's classifier is its default. Absolute times mean little; the ratio is what counts.
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
    """Prepared clips in batches for Captum's loaders: decoded on demand, or kept in memory."""

    def __init__(self, model: vt.VideoModel, folder: Path, *, keep: bool, size: int = 8) -> None:
        self.model, self.sources, self.size = model, vt.find_videos(folder), size
        self.kept = list(self.decoded()) if keep else None

    def decoded(self):
        for start in range(0, len(self.sources), self.size):
            sources = self.sources[start : start + self.size]
            yield torch.stack([self.model.prepare(read_clips(source, self.model.clip_spec)[0]) for source in sources])

    def __iter__(self):
        return iter(self.kept) if self.kept is not None else self.decoded()


def write_noise(folder: Path, count: int, spec: vt.ClipSpec, seed: int) -> None:
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(seed)
    height, width = spec.size or (112, 112)
    for index in range(count):
        frames = spec.frames * spec.stride
        coarse = torch.randint(0, 256, (frames, 3, 8, 8), generator=generator).float()
        clip = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
        vt.write_video(folder / f"{index:04d}.mp4", clip.to(torch.uint8))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="file:examples/moving_shapes.py:build")
    parser.add_argument("--weights")
    parser.add_argument("--layer", action="append")
    parser.add_argument("--concepts", type=int, default=8)
    parser.add_argument("--clips", type=int, default=20, help="in each concept, each random set, and of the class")
    parser.add_argument("--random-sets", type=int, default=30)
    parser.add_argument("--captum-in-memory", action="store_true")
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

        keep = options.captum_in_memory
        folders = [root / f"concept{index}" for index in range(options.concepts)]
        folders += [root / "random" / f"set{index:02d}" for index in range(options.random_sets)]
        numbered = [
            Concept(i, f"c{i}", torch.utils.data.DataLoader(Batches(model, folder, keep=keep), batch_size=None))
            for i, folder in enumerate(folders)
        ]
        inputs = torch.cat(list(Batches(model, root / "class", keep=False)))
        sets = [
            [concept, random] for concept in numbered[: options.concepts] for random in numbered[options.concepts :]
        ]
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
