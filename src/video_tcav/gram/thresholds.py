"""Thresholds of the statistics."""

LEVEL = 0.05
"""A p-value up to here is significant."""
MIN_CLIPS = 3
MIN_GROUPS = 3
"""Fewer clips or groups on one side of a comparison are refused."""
