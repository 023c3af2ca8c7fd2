"""Words: encoders that embed clips and texts in one space, words for clips, and how much a clip is like a text."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
