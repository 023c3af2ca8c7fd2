from .cache import ActivationStore as ActivationStore
from .cache import Pruned as Pruned
from .cache import StoredClip as StoredClip
from .cache import StoreInfo as StoreInfo
from .cache import StoreProblem as StoreProblem
