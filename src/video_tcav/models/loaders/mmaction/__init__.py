"""Recognizers of mmaction2: configs read by their syntax, networks with the published names of tensors."""
