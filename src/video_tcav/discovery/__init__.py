"""Discovery: components of a layer's activations, found in one half of the clips and confirmed in the other."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
