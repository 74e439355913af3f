"""Runs a command in a terminal and types into it: type_into.py [PROMPT ANSWER]… -- COMMAND…

An answer is typed as soon as its prompt is shown behind the one before; EOF is Ctrl-D, STOP Ctrl-C. Prints what the
terminal shows, and ends as the command does.
"""

import os
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from support.process import heed_signals
from support.terminal import Terminal

KEYS = {"EOF": b"\x04", "STOP": b"\x03"}


def shown(wanted: bytes, start: int, said: bytes) -> bool:
    """Whether it is there, behind what was seen before."""
    return wanted in said[start:]


def main() -> int:
    """Type, and show."""
    heed_signals()
    end = sys.argv.index("--")
    terminal = Terminal(Path.cwd(), *sys.argv[end + 1 :], **os.environ)
    seen = 0
    for prompt, answer in zip(sys.argv[1:end:2], sys.argv[2:end:2], strict=True):
        wanted = prompt.encode()
        terminal.read_until(partial(shown, wanted, seen), prompt)
        seen = terminal.said.index(wanted, seen) + len(wanted)
        terminal.write(KEYS.get(answer, answer.encode() + b"\n"))
    status = terminal.status()
    sys.stdout.write(terminal.said.decode(errors="replace").replace("\r\n", "\n"))
    return status


if __name__ == "__main__":
    sys.exit(main())
