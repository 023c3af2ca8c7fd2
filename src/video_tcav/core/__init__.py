"""Shape aliases, errors, progress, provenance and files: what every other package may import."""
