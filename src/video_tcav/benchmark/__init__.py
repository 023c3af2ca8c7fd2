"""A frozen benchmark: methods of attribution and of concept discovery, of any origin, scored on the rendered world."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
