"""Audit: what a model needs, measured on edited pixels: order, motion, scene, person and object removed or exchanged."""

import sys
from types import ModuleType
from typing import Any

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


class _CallablePackage(ModuleType):
    """This package as a function: `video_tcav.audit(…)` is `video_tcav.audit.run.audit(…)`."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.audit(*arguments, **options)


# Python binds a package to its name in the package above as soon as anything in it is imported, over the function of that name.
sys.modules[__name__].__class__ = _CallablePackage
