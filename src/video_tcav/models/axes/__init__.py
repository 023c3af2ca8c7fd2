"""Axes of layers: which dimension is time, height, width or channel, declared or probed."""
