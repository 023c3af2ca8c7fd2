from .fiftyone_datasets import bank_from_fiftyone as bank_from_fiftyone
from .fiftyone_datasets import bank_to_fiftyone as bank_to_fiftyone
from .fiftyone_datasets import effects_to_fiftyone as effects_to_fiftyone
from .lightning_callback import LightningCallback as LightningCallback
from .trackers import Tracker as Tracker
from .trackers import log_to as log_to
from .trainer_callback import HuggingFaceCallback as HuggingFaceCallback
