"""Audit: what a model needs, measured on edited pixels: order, motion, scene, person and object removed or exchanged."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
