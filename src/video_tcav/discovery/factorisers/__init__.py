"""Factorisations of activations at positions into few components: one module a kind, and their registry."""
