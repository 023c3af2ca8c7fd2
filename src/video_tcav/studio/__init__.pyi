from .app import create_app as create_app
from .runs import Runs as Runs
from .sample_size import Need as Need
from .server import Studio as Studio
from .server import browser_opened as browser_opened
from .server import open_studio as open_studio
