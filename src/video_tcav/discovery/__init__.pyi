from .component import Component as Component
from .component import ComponentKind as ComponentKind
from .maps import LayerMaps as LayerMaps
from .result import ComponentExample as ComponentExample
from .result import DiscoveredClip as DiscoveredClip
from .result import DiscoveryResult as DiscoveryResult
