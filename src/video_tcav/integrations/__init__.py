"""Tools that people train and look with: Lightning, Hugging Face Trainer, TensorBoard, Weights & Biases, MLflow, FiftyOne."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
