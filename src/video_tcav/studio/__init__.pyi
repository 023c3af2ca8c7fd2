from .app import create_app as create_app
from .need import Need as Need
from .server import Studio as Studio
from .server import open_studio as open_studio
