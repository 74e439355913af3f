"""What demo.sh asks of the network: `loki.py ports` prints two free ports; `loki.py ready URL` ends with status 0 when
the Loki there is ready.
"""

from __future__ import annotations

import socket
import sys
import urllib.request
from contextlib import ExitStack

# The environment may name a proxy; nobody on this machine needs one to reach another.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_ports(count: int) -> list[int]:
    """Ports that nobody has at the moment, all different."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(listener.getsockname()[1]) for listener in listeners]


def is_ready(url: str) -> bool:
    try:
        with OPENER.open(f"{url}/ready", timeout=5) as answer:
            body: bytes = answer.read()
    except OSError:
        return False
    return body == b"ready\n"


def main(arguments: list[str]) -> int:
    match arguments:
        case ["ports"]:
            print(*free_ports(2))
            return 0
        case ["ready", url]:
            return 0 if is_ready(url) else 1
        case _:
            print((__doc__ or "").strip(), file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
