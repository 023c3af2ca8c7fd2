from .file import Experiment as Experiment
from .file import Hypothesis as Hypothesis
from .file import json_schema as json_schema
from .reading import read_experiment as read_experiment
