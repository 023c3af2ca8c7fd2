"""Model loaders: torchvision, Hugging Face, Python files, modules in memory."""
