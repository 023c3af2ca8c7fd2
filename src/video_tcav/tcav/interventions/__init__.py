"""Interventions at a layer: activations edited along CAVs, and the rest of the network run again."""
