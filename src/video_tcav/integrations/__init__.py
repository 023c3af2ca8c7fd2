"""Training tools and trackers: callbacks for Lightning and the Hugging Face Trainer; TensorBoard, Weights & Biases, MLflow."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
