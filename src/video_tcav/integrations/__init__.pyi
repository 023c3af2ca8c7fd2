from .lightning_callback import LightningCallback as LightningCallback
from .trackers import Tracker as Tracker
from .trackers import log_to as log_to
from .trainer_callback import HuggingFaceCallback as HuggingFaceCallback
