"""Short versions of published methods of concept discovery, with the contract of the benchmark: what a new one must beat."""

from benchmarks.discovery_baselines.ace import ace
from benchmarks.discovery_baselines.craft import craft
from benchmarks.discovery_baselines.vtcd import vtcd

BASELINES = {"CRAFT-like": craft, "VTCD-like": vtcd, "3D-ACE-like": ace}
"""By name, as functions of `video_tcav.benchmark.ConceptFunction`."""
