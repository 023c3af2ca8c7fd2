"""The rendered world: an articulated figure whose motion, object and scene are independent, with its truth per pixel."""

from video_tcav.benchmark.world.dataset import write_world
from video_tcav.benchmark.world.factors import FACTORS, MOTIONS, OBJECTS, SCENES, Factors, Nuisance, sample_factors
from video_tcav.benchmark.world.render import RenderedClip, render, render_batch
from video_tcav.benchmark.world.rules import RULES, Rule, rule_of

__all__ = [
    "FACTORS",
    "MOTIONS",
    "OBJECTS",
    "RULES",
    "SCENES",
    "Factors",
    "Nuisance",
    "RenderedClip",
    "Rule",
    "render",
    "render_batch",
    "rule_of",
    "sample_factors",
    "write_world",
]
