"""Concepts: named sets of clips that share something a person can name, their twins, and the bank that keeps them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
