"""Ask a video action recognition model why, and get an answer that can be tested."""

import lazy_loader

from video_tcav._version import __version__

__getattr__, __dir__, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = [*_names, "__version__"]
