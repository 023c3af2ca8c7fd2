"""Masks: who the person of a clip is and what they hold, pixel by pixel, and the clip without them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
