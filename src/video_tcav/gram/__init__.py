"""Gram space: inner products of activations and gradients to CAVs, effects, p-values and intervals; arrays only."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
