"""A small experiment that runs in seconds, and ways to change it."""

from pathlib import Path

SMALL = """\
title: What does it see?
model: rendered:r2plus1d-motion
targets:
  playing tennis: {rendered: {count: 8, seed: 1, motion: swing, object: racket, scene: court}}
concepts:
  swing: {rendered: {count: 10, seed: 2, motion: swing, scene: [lawn, gym]}}
  court: {rendered: {count: 10, seed: 4, motion: [wave, walk, kick], scene: court, still: true}}
random: {rendered: {count: 24, seed: 6, motion: [wave, walk, kick], scene: [lawn, gym]}}
layers: [stages.2, stages.3]
statistics: {permutations: 499, bootstraps: 200, random_sets: 20}
shown: 1
hypotheses:
  - matters: {concept: swing, target: playing tennis}
  - more_than: {concept: swing, than: court, target: playing tennis}
  - motion_matters: {concept: swing, target: playing tennis}
  - does_not_matter: {concept: court, target: playing tennis}
"""


def write(folder: Path, text: str = SMALL) -> Path:
    """The experiment as a file."""
    path = folder / "small.yaml"
    path.write_text(text, encoding="utf-8")
    return path
