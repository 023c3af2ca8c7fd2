"""Significance tests of concept effects: one module a test, and their registry."""
