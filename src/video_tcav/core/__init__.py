"""Errors, argument checks, files, text, progress and provenance: what every other package may import."""
