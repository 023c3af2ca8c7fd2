"""Damage and truncation that a container's own structure tells: sizes, chains, checksums, counters."""

from video_tcav.media.structure.check import container_damage

__all__ = ["container_damage"]
