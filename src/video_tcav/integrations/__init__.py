"""Training tools and trackers: callbacks for Lightning and the Hugging Face Trainer; TensorBoard, W&B, MLflow, FiftyOne."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
