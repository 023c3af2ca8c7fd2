"""Optimisations of the passes whose logits were checked against the plain model."""
