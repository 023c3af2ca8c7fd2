"""Ask a video action recognition model why, and get an answer that can be tested."""

import logging

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
# Silent unless the program that uses the library configures logging.
logging.getLogger(__name__).addHandler(logging.NullHandler())
