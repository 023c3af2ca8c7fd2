"""Weights: read without running code, matched with a module by name and shape."""
