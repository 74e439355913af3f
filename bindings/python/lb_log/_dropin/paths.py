"""Where a drop-in handler writes: below the run's own folder, under the names that the core gives to files."""

from __future__ import annotations

import os
from pathlib import Path

from lb_log import _native
from lb_log._dropin import arguments

DEFAULT_JSONL_TEMPLATE = "{output_dir}/logs/{component}-{host}.jsonl"


def absolute(template: object, output_dir: object) -> tuple[str, str]:
    """Template and folder such that a change of the working directory does not move the file."""
    folder = os.path.abspath(arguments.path("output_dir", output_dir))  # noqa: PTH100 - links stay.
    text = arguments.path("path_template", template)
    if not text.startswith(("/", "{output_dir}")):
        here = os.getcwd().replace("{", "{{").replace("}", "}}")  # noqa: PTH109
        text = f"{here}/{text}"
    return text, folder


def resolve_jsonl_path(template: str, *, output_dir: Path | str, component: str, host: str, run_id: str) -> Path:
    """The file that a JSONL handler with these arguments writes to, absolute.

    `template` may hold `{output_dir} {run_id} {component} {host} {pid}` and ends in `.jsonl`. Names that would not be
    safe or not unique as part of a file name are changed, and end in `~` and 8 digits then. ValueError names the
    argument that is wrong.
    """
    text, folder = absolute(template, output_dir)
    names = [
        arguments.text(name, value) for name, value in (("component", component), ("host", host), ("run_id", run_id))
    ]
    try:
        path = _native.resolve_path(text, folder, *names)
    except ValueError as error:
        raise ValueError(f"path_template: {error}: {template!r}") from None
    return Path(path).resolve()
