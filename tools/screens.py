#!/usr/bin/env python3
"""README's screens, recorded from real output.

    tools/screens.py          runs what README shows, and puts what comes into it
    tools/screens.py --check  names the screens that look otherwise by now, apart from numbers

A block that begins with `$ lb` is a screen: its commands are run in a folder where somebody has logged a little
(`LOGGED`). The page of the demo is recorded only without --check; its own test compares its headings.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"

SCREEN = re.compile(r"(?<=^```\n)(\$ lb .*?)(?=^```$)", re.MULTILINE | re.DOTALL)
DEMO = re.compile(r"(?<=^```\n)(The log file ─.*?)(?=^```$)", re.MULTILINE | re.DOTALL)

LOGGED = r"""
cat >prepare.sh <<'END'
echo 'installing stress-ng'
echo 'cannot pin the CPU governor' >&2
echo 'WARN registry answers slowly, 2 tries left'
sleep 0.4
echo 'no answer' >&2
exit 3
END
LB_RUN_ID=nightly-7 lb exec --component setup --phase setup -- sh prepare.sh
lb exec --component generator --workload cpu -- echo 'ready'
true
"""


def shell(script: str, folder: Path) -> str:
    """What a script prints in this folder, where `lb` is ours and nobody has set anything for it; both streams, as a
    terminal shows them.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LB_", "K6_"))}
    path = f"{folder / 'bin'}:{kept['PATH']}"
    environment = kept | {"PATH": path, "HOME": str(folder), "LB_HOST": "node-1", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def recorded(readme: str) -> str:
    """README with its screens as they are now."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bin").mkdir()
        (folder / "bin/lb").symlink_to(ROOT / "build/lb")
        shell(LOGGED, folder)

        def screen(found: re.Match[str]) -> str:
            commands = re.findall(r"^\$ (.*)\n", found[1], re.MULTILINE)
            return "".join(f"$ {command}\n{shell(command, folder)}" for command in commands)

        return SCREEN.sub(screen, readme)


def with_demo(readme: str) -> str:
    """README with the page of a demo that is run now."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(ROOT / "examples/demo/demo.sh"), str(Path(folder) / "benchmark_results")]
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        page = page_of(said).replace(f"{folder}/", "")
    return DEMO.sub(lambda _: page, readme)


def page_of(said: str) -> str:
    """What the demo shows of its log file."""
    page = said[said.index("The log file ─") :]
    return page.partition("\n\nCollected")[0].rstrip("\n") + "\n"


def shape(text: str) -> list[str]:
    """A text without what differs from one time to the next: numbers, lengths of time, widths, and which of two
    streams came first.
    """
    text = re.sub(r"\b\d+(ms|s|m)( \d+(ms|s))*\b", "0s", text)
    return sorted(re.sub(r" +", " ", re.sub(r"\d+", "0", text)).splitlines())


def check() -> int:
    readme = README.read_text("utf-8")
    screens = zip(SCREEN.findall(readme), SCREEN.findall(recorded(readme)), strict=True)
    stale = [(old, new) for old, new in screens if shape(old) != shape(new)]
    for old, new in stale:
        print(f"README shows\n\n{old}\nand now it is\n\n{new}\ntools/screens.py records it.", file=sys.stderr)
    return 1 if stale else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Records README's screens.")
    parser.add_argument("--check", action="store_true", help="change nothing; name the screens that look otherwise")
    if parser.parse_args().check:
        return check()
    README.write_text(recorded(with_demo(README.read_text("utf-8"))), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
