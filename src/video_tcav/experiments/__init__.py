"""Experiments as files: hypotheses about a model, the runs that test them, and their verdicts."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
