"""Audit: what a model needs, measured on edited pixels: order, motion, scene, person and object removed or exchanged."""

import lazy_loader

# `video_tcav.audit` is the function of that name, as users call it, whichever module of this package was imported before; what is
# in here is imported by `from video_tcav.audit import …`.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
