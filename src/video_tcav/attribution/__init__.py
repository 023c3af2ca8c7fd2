"""Attribution: where and when did a model look? Every method is called the same way, on layers of any layout."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
