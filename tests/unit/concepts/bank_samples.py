"""Small clips for the tests of the bank."""

import torch

from video_tcav.concepts import BankClip, ConceptBank, Origin


def sample_origin(number: int = 0, *, frames: int = 3, **changed) -> Origin:
    """The origin of a clip that starts at `number` seconds of its video."""
    values = {
        "video": f"/videos/{number % 3}.mp4",
        "video_digest": f"{number % 3:064x}",
        "start_s": float(number),
        "end_s": number + frames / 25,
        "times_s": tuple(number + frame / 25 for frame in range(frames)),
        "boxes": ((0.0, 1.0, 8.0, 9.5),) * frames,
        "label": "person",
        "score": 0.5,
        "proposer": {"name": "motion", "threshold": 0.25},
    }
    return Origin(**values | changed)


def sample_frames(seed: int = 0, *, frames: int = 3, side: int = 16) -> torch.Tensor:
    """Grey blocks, other ones in each frame, that survive a codec."""
    blocks = torch.rand(frames, 1, side // 8 + 1, side // 8 + 1, generator=torch.Generator().manual_seed(seed))
    pixels = (blocks * 255).to(torch.uint8).repeat_interleave(8, 2).repeat_interleave(8, 3)
    return pixels[..., :side, :side].expand(-1, 3, -1, -1).contiguous()


def add_clip(bank: ConceptBank, number: int = 0, concept: str = "racket", kind: str = "moving", **changed) -> BankClip:
    """Add the clip of that number; the same number is the same proposal."""
    frames = 1 if kind == "still" else 3
    values = {
        "fps": 25,
        "origin": sample_origin(number, frames=frames),
        "tube": f"tube-{number}",
        "quality": float(number),
    }
    return bank.add(sample_frames(number, frames=frames), concept=concept, kind=kind, **values | changed)


def state(bank: ConceptBank) -> tuple[dict[int, tuple[str, str]], list[str]]:
    """What a person can change: concept and verdict of each clip, and the names."""
    return {clip.id: (clip.concept, clip.verdict) for clip in bank.clips()}, [one.name for one in bank.concepts()]
