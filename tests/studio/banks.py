"""Small concept banks to review: coloured squares that move, cut from source videos that are there."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import torch

from video_tcav.concepts.bank import ConceptBank, Origin
from video_tcav.media import file_digest, write_video

FPS = 10
COLOURS = ((200, 60, 50), (50, 160, 90), (60, 90, 200), (210, 170, 50), (150, 80, 170), (60, 170, 180))
LABELS = ("racket", "person", "ball")
SOURCE_FRAMES = 30
SIDE = 24


def moving_square(number: int, *, frames: int = 8, size: int = 48, step: int = 3) -> torch.Tensor:
    """A square of a colour on grey, in motion; no two numbers give the same."""
    clip = torch.full((frames, 3, size, size), 90 + number % 120, dtype=torch.uint8)
    for time in range(frames):
        left = (number + step * time) % (size - SIDE // 2)
        clip[time, :, size // 4 : size // 4 + SIDE // 2, left : left + SIDE // 2] = torch.tensor(
            COLOURS[number % len(COLOURS)], dtype=torch.uint8
        )[:, None, None]
    clip[:, 0, 0, 0] = number % 256
    return clip


def write_source(path: Path, number: int) -> tuple[str, tuple[tuple[float, float, float, float], ...]]:
    """A source video of 3 s in which a square moves; gives its digest and the square's box in every frame."""
    frames = torch.full((SOURCE_FRAMES, 3, 96, 128), 60 + 12 * number, dtype=torch.uint8)
    boxes = []
    for time in range(SOURCE_FRAMES):
        left, top = 4 + 3 * time, 30
        frames[time, :, top : top + SIDE, left : left + SIDE] = torch.tensor(
            COLOURS[number % len(COLOURS)], dtype=torch.uint8
        )[:, None, None]
        boxes.append((float(left), float(top), float(left + SIDE), float(top + SIDE)))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, frames, fps=FPS)
    return file_digest(path), tuple(boxes)


def make_bank(
    folder: Path, *, clips: int = 12, videos: int = 3, concepts: tuple[str, ...] = ("ball", "racket")
) -> ConceptBank:
    """A bank of clips without a verdict, in turn of each concept and of none; every fifth is a still."""
    sources = [folder.parent / "videos" / f"match-{number}.mp4" for number in range(videos)]
    cut_from = [(path, *write_source(path, number)) for number, path in enumerate(sources)]
    bank = ConceptBank.open(folder, create=True)
    names = (*concepts, "")
    vectors = {}
    for number in range(clips):
        path, digest, boxes = cut_from[number % videos]
        start = 5 + number % 10
        later_s = number * 1e-6  # the same cut twice would be one clip
        still = number % 5 == 4
        times = 1 if still else 8
        origin = Origin(
            video=str(path),
            video_digest=digest,
            start_s=start / FPS + later_s,
            end_s=(start + times) / FPS + later_s,
            times_s=tuple((start + time) / FPS for time in range(times)),
            boxes=boxes[start : start + times],
            label=LABELS[number % len(LABELS)],
            score=0.5 + 0.01 * (number % 50),
            proposer={"name": "motion", "settings": {"every_s": 0.2}, "number": number},
        )
        added = bank.add(
            moving_square(number, frames=times),
            fps=FPS,
            concept=names[number % len(names)],
            kind="still" if still else "moving",
            origin=origin,
            tube=f"tube-{number}",
            quality=1 - number / clips,
        )
        vectors[added.id] = np.array([np.cos(number / 5), np.sin(number / 5), 0.1], dtype=np.float32)
    bank.set_embeddings("0123abcd:layer4", vectors)
    return bank


def multiply(folder: Path, count: int) -> None:
    """Make a bank of `count` clips of a smaller one by repeating its rows: what is slow is to encode and sync, not to read."""
    with closing(sqlite3.connect(folder / "bank.sqlite")) as connection, connection:
        names = [
            row[1] for row in connection.execute("PRAGMA table_info(clips)") if row[1] not in ("id", "key", "tube")
        ]
        there = connection.execute("SELECT count(*) FROM clips").fetchone()[0]
        columns = ", ".join(names)
        for copy in range(1, -(-count // there)):
            connection.execute(
                f"INSERT INTO clips (key, tube, {columns}) SELECT key || '-{copy}', tube || '-{copy}', {columns} FROM clips "
                "WHERE id <= ?",
                [there],
            )
