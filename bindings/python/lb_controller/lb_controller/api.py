"""The controller of lb-log: `lb_log.controller.api` under the name that existing programs import."""

from lb_log.controller.api import *  # noqa: F403
from lb_log.controller.api import __all__ as __all__
