"""A local web app in which a person reviews a concept bank, or the masks of an audit."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
