"""The rendered world: an articulated figure whose motion, object and scene are independent, with its truth per pixel."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
