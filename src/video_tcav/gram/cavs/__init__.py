"""Concept activation vectors as coefficients in Gram space, `w = Aᵀα`: one module a kind of CAV, and their registry."""
