"""Annotation files of other tools, to a concept bank and back: CVAT, COCO with videos (TAO), ActivityNet."""
