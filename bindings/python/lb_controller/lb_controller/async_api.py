"""As coroutines: `lb_log.controller.async_api` under the name that existing programs import."""

from lb_log.controller.async_api import *  # noqa: F403
from lb_log.controller.async_api import __all__ as __all__
