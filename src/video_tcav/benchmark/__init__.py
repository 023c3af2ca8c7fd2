"""A rendered world with known causes, models that read them, and what the explanations make of them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
