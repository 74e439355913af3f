"""Speed beside the peers: alternating rounds, medians, spread, and what is aimed at. It takes minutes and wants a quiet
machine."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

from benches import (
    caller,
    catch_up,
    dashboards,
    dropin,
    encoding,
    end_to_end,
    k6_cost,
    k6_frozen,
    line,
    outage,
    packing,
    places,
    python_calls,
    reading,
    rest,
)
from benches.setting import BUILD, Setting

PARTS = {
    "caller": caller.run,
    "end": end_to_end.run,
    "line": line.run,
    "places": places.run,
    "rest": rest.run,
    "k6": k6_cost.measure,
    "frozen": k6_frozen.measure,
    "encoding": encoding.run,
    "catchup": catch_up.run,
    "outage": outage.run,
    "pack": packing.run,
    "read": reading.run,
    "dashboards": dashboards.run,
    "dropin": dropin.run,
    "python": python_calls.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="benches/run.sh")
    parser.add_argument(
        "part", nargs="*", choices=[[], *PARTS], metavar="PART", help=f"some of: {', '.join(PARTS)} (all)"
    )
    parser.add_argument("--quick", action="store_true", help="a minute, to try it: the figures are not for keeping")
    parser.add_argument("--rounds", type=int, help="alternating rounds (7; with --quick 2)")
    parser.add_argument("--scratch", type=Path, default=BUILD, help="where the files are written, on a disk (build/)")
    options = parser.parse_args()
    rounds = options.rounds or (2 if options.quick else 7)
    # So that what was mounted, frozen or started is put in order.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    print(f"processors: {os.cpu_count()}, load average at the start: {os.getloadavg()[0]:.2f}", flush=True)
    aims = []
    for part in options.part or PARTS:
        with tempfile.TemporaryDirectory(dir=options.scratch, prefix="bench-") as folder:
            for table in PARTS[part](Setting(options.quick, rounds, Path(folder))):
                table.show()
                aims += table.aims()
    print("\nThe aims")
    for aim in aims:
        print(f"  {aim}")


if __name__ == "__main__":
    main()
