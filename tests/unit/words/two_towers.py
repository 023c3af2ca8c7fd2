"""A small encoder of texts and clips, trained on rendered clips and captions of their factors: the words that it knows are known.

Its video tower is a small 3-D network, its text tower a linear map of a bag of letter triples, as words that it was never trained
on must have embeddings, too.
"""

import functools
import zlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from video_tcav.rendered import Factors, render_batch, sample_factors
from video_tcav.rendered.factors import TRAINING
from video_tcav.rendered.models import with_changes
from video_tcav.words import TextVideoEncoder

MOTIONS = {"swing": "swinging", "run": "running", "still": "standing"}
OBJECTS = {"racket": "a racket", "ball": "a ball", "none": ""}
SCENES = {"court": "on a court", "lawn": "on a lawn", "gym": "in a gym", "street": "on a street"}
FRAMES, SIZE = 8, 32
_BUCKETS, _WIDTH = 512, 32
_KNOWN = {"motion": tuple(MOTIONS), "object": tuple(OBJECTS), "scene": tuple(SCENES)}


def sampled(count: int, *, seed: int, **chosen: str | Sequence[str]) -> list[Factors]:
    """Factors of the motions that have words."""
    return sample_factors(count, seed=seed, **(_KNOWN | chosen))


def caption(clip: Factors) -> str:
    return " ".join(f"{MOTIONS[clip.motion]} {OBJECTS[clip.object]} {SCENES[clip.scene]}".split())


class TwoTowers(TextVideoEncoder):
    name, frames = "two towers", FRAMES

    def __init__(self, video: nn.Module, text: nn.Module) -> None:
        self.video, self.text = video, text

    def embed_clips(self, clips: Sequence[Tensor]) -> np.ndarray:
        with torch.no_grad():
            small = [nn.functional.interpolate(clip.float(), SIZE, mode="area") for clip in clips]
            return self.video(_inputs(torch.stack(small))).numpy()

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        with torch.no_grad():
            return self.text(torch.stack([_bag(text) for text in texts])).numpy()


class _VideoTower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_block(6, 16, (1, 5, 5), (1, 2, 2)),
            *_block(16, 32, (3, 3, 3), (1, 2, 2)),
            *_block(32, 48, (3, 3, 3), (2, 2, 2)),
        )
        self.head = nn.Linear(96, _WIDTH)

    def forward(self, clips: Tensor) -> Tensor:
        maps = self.layers(with_changes(clips))
        return self.head(torch.cat([maps.mean((2, 3, 4)), maps.amax((2, 3, 4))], dim=1))


def _block(inputs: int, outputs: int, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> list[nn.Module]:
    padding = tuple(side // 2 for side in kernel)
    return [nn.Conv3d(inputs, outputs, kernel, stride, padding), nn.BatchNorm3d(outputs), nn.ReLU()]


def _inputs(clips: Tensor) -> Tensor:
    return ((clips.float() / 255 - 0.45) / 0.25).movedim(2, 1)


@functools.cache
def _bag(text: str) -> Tensor:
    counts = torch.zeros(_BUCKETS)
    for word in text.lower().split():
        marked = f"<{word}>"
        for start in range(len(marked) - 2):
            counts[zlib.crc32(marked[start : start + 3].encode()) % _BUCKETS] += 1
    return counts / counts.sum().clamp_min(1)


def train_towers(*, clips: int = 1000, epochs: int = 8, batch: int = 40, seed: int = 0) -> TwoTowers:
    """Contrastive training; clips of one caption in a batch are all right answers."""
    factors = sample_factors(clips, seed=seed, stream=TRAINING, **_KNOWN)
    inputs = _inputs(render_batch(factors, frames=FRAMES, size=SIZE))
    captions = [caption(clip) for clip in factors]
    bags = torch.stack([_bag(text) for text in captions])
    numbers = torch.tensor([sorted(set(captions)).index(text) for text in captions])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        video, text, sharpness = _VideoTower(), nn.Linear(_BUCKETS, _WIDTH), nn.Parameter(torch.tensor(2.0))
        parameters = [*video.parameters(), *text.parameters(), sharpness]
        optimizer = torch.optim.AdamW(parameters, lr=6e-3, weight_decay=0.01)
        steps = epochs * (clips // batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=6e-3, total_steps=steps)
        for _ in range(epochs):
            for chosen in torch.randperm(clips)[: clips // batch * batch].split(batch):
                seen = nn.functional.normalize(video(inputs[chosen]), dim=1)
                said = nn.functional.normalize(text(bags[chosen]), dim=1)
                logits = seen @ said.T * sharpness.exp()
                right = (numbers[chosen][:, None] == numbers[chosen]).float()
                right /= right.sum(1, keepdim=True)
                loss = nn.functional.cross_entropy(logits, right) + nn.functional.cross_entropy(logits.T, right)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
    return TwoTowers(video.eval(), text.eval())
