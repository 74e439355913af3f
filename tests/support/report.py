"""Pages of `lb report`: made, read, and looked at in a browser."""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from support.browser import Browser, Page
from support.paths import LB
from support.process import clean_environment

# Of a percentile, as the page says it.
PERCENTILE_ERROR = 0.01


def make_report(
    folder: Path, *runs: str | Path, code: int = 0, arguments: Sequence[str] = ()
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The page on some runs, and what `lb` said."""
    page = folder / "page.html"
    command = [str(LB), "report", *map(str, runs), "--output", str(page), *arguments]
    done = subprocess.run(
        command, cwd=folder, env=clean_environment(), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code, done.stderr
    return page, done


def data(page: Path) -> dict[str, Any]:
    """The document that a page holds."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert found
    document: dict[str, Any] = json.loads(found[1])
    return document


def assert_percentiles(found: Sequence[float], durations: Sequence[float]) -> None:
    """Each within the stated error of the exact one; the page rounds to four digits."""
    ordered = sorted(durations)
    for value, quantile in zip(found, (0.5, 0.9, 0.95, 0.99), strict=True):
        exact = ordered[max(0, math.ceil(quantile * len(ordered) - 1e-9) - 1)]
        assert value == pytest.approx(exact, rel=PERCENTILE_ERROR * 1.1), f"quantile {quantile}"


def opened(browser: Browser, path: Path, *, width: int = 1400, dark: bool = False) -> Page:
    """A page as its user sees it, once its charts are drawn."""
    page = browser.page()
    page.look(width=width, dark=dark)
    page.open(path)
    return page


def assert_quiet(page: Page, path: Path) -> None:
    """Nothing went wrong in it, and it asked for nothing but itself."""
    assert page.complaints == []
    assert page.requests == [path.resolve().as_uri()]


# How many pixels of each chart have a colour of some strength: of lines and bars, not of text and grid.
_COLOURED = """[...document.querySelectorAll('canvas')].map((canvas) => {
  const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height });
  const context = copy.getContext('2d', { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  const { data } = context.getImageData(0, 0, copy.width, copy.height);
  let coloured = 0;
  for (let i = 0; i < data.length; i += 4) {
    const [r, g, b, a] = data.subarray(i, i + 4);
    if (a > 200 && Math.max(r, g, b) - Math.min(r, g, b) > 60) coloured += 1;
  }
  return coloured;
})"""


def coloured(page: Page) -> list[int]:
    """How many pixels of each chart are of lines and bars."""
    found: list[int] = page.evaluate(_COLOURED)
    return found


# Texts that are too weak on what is behind them: WCAG asks for 4.5.
_CONTRASTS = """(() => {
  const parse = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => [r, g, b].map((v) => linear(v / 255))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const weak = [];
  for (const element of document.body.querySelectorAll('*')) {
    const said = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!said || !element.checkVisibility()) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) weak.push(`${ratio.toFixed(2)} ${element.className} ${element.textContent.slice(0, 40)}`);
  }
  return weak;
})()"""


def weak_texts(page: Page) -> list[str]:
    """Texts that are hard to read on what is behind them."""
    found: list[str] = page.evaluate(_CONTRASTS)
    return found


def shown(page: Page) -> list[str]:
    """The messages that are listed."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('.messages .message')].map((each) => each.innerText)"
    )
    return found
