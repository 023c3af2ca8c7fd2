from .demo import DemoModel as DemoModel
from .demo import DemoResult as DemoResult
from .demo import run_demo as run_demo
