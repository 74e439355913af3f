#!/usr/bin/env python3
"""The charting library that `lb report` puts into its pages: uPlot, committed in cli/assets/report/uplot.

uplot.py           fetch the pinned release by npm and write its files anew
uplot.py --check   whether the committed files are those of the pinned release; needs no network
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "1.6.32"
# What is committed, where it lies in the release, and its SHA-256.
FILES = {
    "uPlot.iife.min.js": ("dist/uPlot.iife.min.js", "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"),
    "uPlot.min.css": ("dist/uPlot.min.css", "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04"),
    "LICENSE": ("LICENSE", "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd"),
}
FOLDER = Path(__file__).resolve().parent.parent / "cli/assets/report/uplot"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def check() -> list[str]:
    """What differs from the release."""
    wrong = [name for name, (_, digest) in FILES.items() if sha256((FOLDER / name).read_bytes()) != digest]
    strange = [path.name for path in sorted(FOLDER.iterdir()) if path.name not in FILES]
    return [f"{FOLDER / name}: not that of uPlot {VERSION}; run tools/uplot.py" for name in wrong + strange]


def fetch() -> None:
    """Replace the committed files by those of the release, which npm checks against what its registry says of it."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["npm", "pack", "--silent", f"uplot@{VERSION}"], cwd=folder, check=True, stdout=subprocess.DEVNULL
        )
        with tarfile.open(Path(folder) / f"uplot-{VERSION}.tgz") as archive:
            for name, (member, _) in FILES.items():
                file = archive.extractfile(f"package/{member}")
                if file is None:
                    sys.exit(f"uplot {VERSION} has no {member}")
                (FOLDER / name).write_bytes(file.read())


def main() -> None:
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    if not sys.argv[1:]:
        fetch()
    wrong = check()
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
