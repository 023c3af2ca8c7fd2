"""A small network, an experiment about it that runs in a second or two, and a finished run of it."""

from pathlib import Path

import pytest
import torch
from torch import nn

from video_tcav.experiments import Run, run_experiment

EXPERIMENT = """\
title: Does it see motion?
model: {{spec: 'file:absent.py:build', size: 48, mean: 0.45, std: 0.225, classes: {folder}/names.txt}}
targets: {{right: {clips}/right}}
concepts: {{moves-right: {clips}/moves-right, green: {clips}/green}}
random: {clips}/random
layers: [stages.1, stages.2]
statistics: {{permutations: 99, bootstraps: 50}}
shown: 0
hypotheses:
  - matters: {{concept: moves-right, target: right}}
  - does_not_matter: {{concept: green, target: right}}
    name: "colour: no matter?"
"""
PREFIXED = {"stages.1": "net.stages.1", "stages.2": "net.stages.2"}


@pytest.fixture(scope="session")
def experiment_file(shapes, shapes_clips, tmp_path_factory) -> Path:
    """Its model is not there: a network in memory stands in its place."""
    folder = tmp_path_factory.mktemp("experiment")
    (folder / "names.txt").write_text("\n".join(shapes.DIRECTIONS))
    path = folder / "motion.yaml"
    path.write_text(EXPERIMENT.format(folder=folder, clips=shapes_clips))
    return path


@pytest.fixture
def network(shapes) -> nn.Module:
    """Untrained."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return shapes.build()


@pytest.fixture(scope="session")
def run(shapes, experiment_file, tmp_path_factory) -> Run:
    """Of a network that was trained for a moment."""
    trained, _ = shapes.train(40)
    return run_experiment(experiment_file, models=trained, out=tmp_path_factory.mktemp("runs") / "run")
