"""Recording: each clip through the model once, all layers and gradients kept as rows."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
