"""Thresholds of the statistics."""

LEVEL = 0.05
"""A p-value up to here is significant."""
MIN_CLIPS = 3
MIN_GROUPS = 3
"""Fewer clips or groups on one side of a comparison are refused."""
FEW_GROUPS = 10
"""With fewer, skewed responses get intervals that are too narrow, and p-values are coarse."""
