"""Serves a folder on the loopback interface by HTTP; prints its port."""

import functools
import http.server
import sys


def main() -> None:
    """Serve until somebody ends it."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        sys.stdout.write(f"{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
