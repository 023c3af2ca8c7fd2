from .component import Component as Component
from .component import ComponentKind as ComponentKind
from .discover import discover as discover
from .maps import LayerMaps as LayerMaps
from .result import ComponentExample as ComponentExample
from .result import DiscoveredClip as DiscoveredClip
from .result import DiscoveryResult as DiscoveryResult
from .result_files import load_discovery as load_discovery
