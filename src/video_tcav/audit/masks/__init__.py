"""Masks: who the person of a clip is, and what they hold, pixel by pixel."""
