"""Error of bfloat16 in the effects of a trained r3d_18, beside one with random weights.

    python -m benchmarks.half_precision --steps 30

With random weights gradient and CAV are almost orthogonal: the effect is a small difference of large numbers, and rounding
that turns either by a percent shows. A few minutes of training on rendered scenes give an r3d_18 of which that is not true.
"""

import argparse

import torch
from torch import Tensor, nn
from torchvision.models.video import r3d_18

import video_tcav as vt
from video_tcav.models.hooks import record_activations, record_gradients
from video_tcav.models.targets import parse_target
from video_tcav.recording.fast.fast_paths import OptimisedPass, choose_fast_paths
from video_tcav.recording.settings import PRECISIONS
from video_tcav.rendered import render_batch
from video_tcav.rendered.factors import TRAINING
from video_tcav.rendered.rules import rule_of
from video_tcav.rendered.training import BATCH, normalised

LAYERS = ("layer2", "layer3", "layer4")
AT_ONCE = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rule", default="scene")
    parser.add_argument("--steps", type=int, default=30, help=f"batches of {BATCH} clips")
    parser.add_argument("--clips", type=int, nargs=3, default=[30, 90, 30], help="concept, random, class")
    options = parser.parse_args()
    rule = rule_of(options.rule)
    torch.manual_seed(0)
    network = r3d_18(num_classes=len(rule.labels))
    for steps in (0, options.steps):
        module = trained_further(network, rule, steps)
        model = vt.load_model(module, frames=16, size=64, classes=list(rule.labels), device="cpu")
        compare(model, rule, options.clips, steps)


def trained_further(module: nn.Module, rule: object, steps: int) -> nn.Module:
    module.train()
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3, weight_decay=0.02)
    for step in range(steps):
        clips, labels = rule.sample(BATCH, seed=step, stream=TRAINING)
        loss = nn.functional.cross_entropy(module(normalised(render_batch(clips))), torch.tensor(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step + 1}: loss {loss.item():.3f}", flush=True)
    return module.eval()


def compare(model: vt.VideoModel, rule: object, counts: list[int], steps: int) -> None:
    clips, labels = rule.sample(10 * sum(counts), seed=7)
    of_class = [clip for clip, label in zip(clips, labels, strict=True) if label == 0]
    random = [clip for clip, label in zip(clips, labels, strict=True) if label]
    concept, class_clips = of_class[: counts[0]], of_class[counts[0] : counts[0] + counts[2]]
    sets = [prepared(members) for members in (concept, random[: counts[1]], class_clips)]
    ways, target = choose_fast_paths(model, sets[0][:1]), parse_target(model, 0, "log_odds")
    vectors, logits = {}, {}
    for precision in PRECISIONS[1:]:
        passing = OptimisedPass(model, ways, precision=precision)
        vectors[precision], logits[precision] = directions(model, passing, sets, target)
    accuracy = float((logits["float32"].argmax(1) == 0).float().mean())
    print(f"after {steps} batches, class {model.classes[0]}, its clips named in {100 * accuracy:.0f} %")
    for layer in LAYERS:
        (g, d), (h, e) = vectors["float32"][layer], vectors["bfloat16"][layer]
        print(
            f"  {layer}: effect {float(g @ d):+.5f}, in bfloat16 {float(h @ e):+.5f} ({float(h @ e / (g @ d) - 1):+.2%}); "
            f"cosine of gradient and difference {float(g @ d / g.norm() / d.norm()):.3f}"
        )
    effects = {name: torch.stack([g @ d for g, d in layers.values()]) for name, layers in vectors.items()}
    change = (effects["bfloat16"] - effects["float32"]).abs().max() / effects["float32"].abs().max()
    print(f"  largest change, of the largest effect: {float(change):.2%}", flush=True)


def prepared(clips: list) -> Tensor:
    return torch.cat([normalised(render_batch(clips[i : i + BATCH])) for i in range(0, len(clips), BATCH)])


def directions(
    model: vt.VideoModel, passing: OptimisedPass, sets: list[Tensor], target: object
) -> tuple[dict[str, tuple[Tensor, Tensor]], Tensor]:
    """Average gradient and difference of the means at each layer, and the logits of the class clips."""
    concept, random, class_clips = sets
    logits = []

    def gradients(batch: Tensor) -> dict[str, Tensor]:
        values = record_gradients(model, LAYERS, batch, target)
        logits.append(values.logits)
        return values.layers

    def mean(prepared_clips: Tensor, run: object) -> dict[str, Tensor]:
        total = dict.fromkeys(LAYERS, torch.zeros((), dtype=torch.float64))
        for batch in prepared_clips.split(AT_ONCE):
            with passing.running():
                values = run(passing.batch(list(batch)))
            total = {layer: total[layer] + values[layer].double().sum(0).flatten() for layer in LAYERS}
        return {layer: value / len(prepared_clips) for layer, value in total.items()}

    concept_mean, random_mean = (
        mean(clips, lambda batch: record_activations(model, LAYERS, batch)) for clips in (concept, random)
    )
    slopes = mean(class_clips, gradients)
    return {layer: (slopes[layer], concept_mean[layer] - random_mean[layer]) for layer in LAYERS}, torch.cat(logits)


if __name__ == "__main__":
    main()
