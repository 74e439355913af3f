"""The page of a report in a real Chromium: charts, search, keyboard, phone, dark, print, and names that are hostile."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from support import k6
from support.browser import Browser
from support.campaign_log import CampaignLog
from support.process import wait_until
from support.report import assert_quiet, coloured, data, make_report, opened, shown, weak_texts


def test_a_comparison_in_chromium(two_runs: tuple[Path, CampaignLog, CampaignLog], browser: Browser) -> None:
    path, _, _ = two_runs
    page = opened(browser, path)
    # Three charts for both runs, and the log lines of each.
    found = coloured(page)
    assert len(found) == 5
    assert all(count > 200 for count in found), found
    heading = page.evaluate("document.querySelector('h1').innerText")
    assert heading == "first · second"
    cells = page.evaluate("[...document.querySelectorAll('#comparison .worse')].map((cell) => cell.innerText)")
    assert any("\N{MULTIPLICATION SIGN}" in cell for cell in cells), cells
    # All repetitions of one workload: a line for each.
    choose = "const select = [...document.querySelectorAll('#time select')][0]; select.value = 'writing'"
    page.evaluate(f"{{ {choose}; select.dispatchEvent(new Event('change')); }}")
    lines = page.evaluate("[...document.querySelectorAll('#time .legend button')].map((line) => line.innerText)")
    assert lines == [f"{run} repetition {number}" for run in ("first", "second") for number in (1, 2, 3)]
    assert all(count > 200 for count in coloured(page))
    # Each line can be hidden.
    page.evaluate("document.querySelectorAll('#time .legend button').forEach((button) => button.click())")
    wait_until(lambda: coloured(page)[:3] == [0, 0, 0], 20, "all lines are hidden")
    assert_quiet(page, path)


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (390, False), (1400, True)])
def test_a_real_run_in_chromium(
    shop: tuple[k6.Run, Path], browser: Browser, width: int, dark: bool, folder: Path
) -> None:
    _, path = shop
    page = opened(browser, path, width=width, dark=dark)
    found = coloured(page)
    assert len(found) == 4
    assert all(count > 100 for count in found), found
    # Nothing sticks out: wide tables scroll by themselves.
    assert page.evaluate("document.documentElement.scrollWidth") == width
    light = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert light != dark
    assert weak_texts(page) == []
    page.screenshot(folder / "page.png")
    assert_quiet(page, path)


def test_search(shop: tuple[k6.Run, Path], browser: Browser) -> None:
    _, path = shop
    page = opened(browser, path)
    everything = shown(page)
    assert "GET broken 503" in everything
    assert len(everything) >= 4
    page.evaluate("document.getElementById('search').focus()")
    page.type("basket EMPTY")
    assert shown(page) == ["basket 1 is empty"]
    assert page.evaluate("[...document.querySelectorAll('.messages mark')].map((mark) => mark.innerText)") == [
        "basket",
        "empty",
    ]
    page.type(" nowhere")
    assert shown(page) == []
    assert "Nothing found" in page.evaluate("document.querySelector('.told').innerText")
    clear = (
        "const search = document.getElementById('search'); search.value = ''; search.dispatchEvent(new Event('input'))"
    )
    page.evaluate(f"{{ {clear} }}")
    assert shown(page) == everything
    # An entry opens, and shows its records in full.
    page.evaluate("document.querySelector('.messages details').open = true")
    page.wait("document.querySelectorAll('.messages .example').length > 0", "an entry has opened")
    assert_quiet(page, path)


def test_tables_are_sorted_by_their_headings(shop: tuple[k6.Run, Path], browser: Browser) -> None:
    _, path = shop
    page = opened(browser, path)
    heading = "[...document.querySelectorAll('#names thead th')].find((head) => head.innerText.startsWith('requests'))"
    column = page.evaluate(f"{heading}.cellIndex")
    cells = f"[...document.querySelectorAll('#names tbody tr')].map((row) => Number(row.cells[{column}].innerText))"
    for order, descending in (("descending", True), ("ascending", False)):
        page.evaluate(f"{heading}.querySelector('button').click()")
        assert page.evaluate(f"{heading}.getAttribute('aria-sort')") == order
        counts = page.evaluate(cells)
        assert len(set(counts)) > 1
        assert counts == sorted(counts, reverse=descending)
    assert_quiet(page, path)


def test_nothing_moves_for_those_who_want_that(shop: tuple[k6.Run, Path], browser: Browser) -> None:
    _, path = shop
    page = opened(browser, path)
    scrolls = "getComputedStyle(document.documentElement).scrollBehavior"
    assert page.evaluate(scrolls) == "smooth"
    page.look(width=1400, reduced_motion=True)
    assert page.evaluate(scrolls) == "auto"


def test_charts_by_keyboard(shop: tuple[k6.Run, Path], browser: Browser) -> None:
    _, path = shop
    page = opened(browser, path)
    page.evaluate("document.querySelector('.plot').focus()")
    page.press("ArrowRight")
    page.press("ArrowRight")
    tip = page.evaluate("document.querySelector('.tip').innerText")
    assert re.search(r"\d\d:\d\d:\d\d", tip), tip
    said = page.evaluate("document.querySelector('[aria-live]').innerText")
    assert "reading" in said, said
    page.press("+")
    page.wait("!document.querySelector('#time .again').hidden", "zoomed")
    page.press("Escape")
    page.wait("document.querySelector('#time .again').hidden", "not zoomed any more")
    assert_quiet(page, path)


def test_print(shop: tuple[k6.Run, Path], browser: Browser, folder: Path) -> None:
    _, path = shop
    page = opened(browser, path, dark=True)
    # On paper it is light, whatever the screen is, and folded parts are open.
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("document.querySelectorAll('details.fold:not([open])').length") == 0
    widths = page.evaluate("[...document.querySelectorAll('canvas')].map((canvas) => canvas.clientWidth)")
    assert max(widths) <= 680
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    page.pdf(folder / "page.pdf")
    assert (folder / "page.pdf").read_bytes().startswith(b"%PDF")
    assert_quiet(page, path)


HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"><!-- {{data}} '`${1}"
)


def test_hostile_names_and_messages_stay_text(folder: Path, browser: Browser) -> None:
    log = CampaignLog(run_id="hostile", workloads=[HOSTILE], repetitions=1, seconds=2)
    path = log.write(folder / "runs")
    with path.open("a", encoding="utf-8") as file:
        for level in ("ERROR", "WARNING"):
            file.write(log.line(3, level, HOSTILE, HOSTILE, HOSTILE, 1, **{HOSTILE: HOSTILE, "phase": HOSTILE}))
        file.write(log.line(3, "ERROR", "log_gap", HOSTILE, "w", 1, lost=1, reason=HOSTILE))
        file.write(
            log.line(3, "WARNING", "threshold", HOSTILE, "w", 1, metric=HOSTILE, expression=HOSTILE, passed=False)
        )
    path, _ = make_report(folder, folder / "runs/hostile")
    # Data, page script, and nothing that was logged.
    assert path.read_text("utf-8").count("</script>") == 2
    page = opened(browser, path)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.wait("document.querySelectorAll('.messages .example').length > 0", "entries have opened")
    assert HOSTILE in shown(page)
    assert page.evaluate("document.title").startswith("hostile ")
    assert page.evaluate("document.images.length + document.querySelectorAll('script').length") == 2
    assert_quiet(page, path)


def test_logs_without_k6(folder: Path, browser: Browser) -> None:
    log = CampaignLog(run_id="runner-only")
    lines = [log.line(n, "INFO", "log", f"step {n} of 50", "cpu", 1 + n // 25, phase="run") for n in range(50)]
    lines += [
        log.line(
            51, "ERROR", "log", "stress-ng ended with status 2", "cpu", 2, phase="teardown", exception="Traceback …"
        )
    ]
    path = folder / "runs/runner-only/target-1/logs/runner-target-1.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(lines), encoding="utf-8")
    path, _ = make_report(folder, folder / "runs/runner-only")
    page = opened(browser, path)
    # What went wrong comes first, and it is said why there is nothing about requests.
    parts = page.evaluate("[...document.querySelectorAll('main > section')].map((part) => part.id)")
    assert parts[0] == "messages"
    assert "no records of k6" in page.evaluate("document.getElementById('time').innerText")
    assert shown(page) == ["stress-ng ended with status 2"]
    (found,) = coloured(page)
    assert found > 20
    rows = page.evaluate("[...document.querySelectorAll('#repetitions tbody tr')].map((row) => row.cells[0].innerText)")
    assert rows == ["1", "2"]
    assert_quiet(page, path)


def test_an_empty_run_says_so(folder: Path, browser: Browser) -> None:
    (folder / "runs/empty/logs").mkdir(parents=True)
    path, done = make_report(folder, folder / "runs/empty", code=1)
    assert "no records below it" in done.stderr
    page = opened(browser, path)
    assert "no records" in page.evaluate("document.body.innerText")
    assert_quiet(page, path)


def test_what_is_missing_is_told(folder: Path, browser: Browser) -> None:
    log = CampaignLog(run_id="holes", repetitions=1, workloads=["reading"], seconds=5)
    path = log.write(folder / "runs")
    content = path.read_text("utf-8").splitlines(keepends=True)
    content.insert(3, "this is no record\n")
    content.append(log.line(6, "WARNING", "log_gap", "17 records are missing: the disk was full", "none", 1, lost=17))
    # One request of those that k6 has counted.
    content = [line for line in content if '"message":"GET home 200"' not in line or content.index(line) > 20]
    path.write_text("".join(content), encoding="utf-8")
    copy = path.with_name("runner-target-1.jsonl.gz")
    lines = "".join(log.line(n, "INFO", "log", f"line {n} {n * 7919}", "none", 1) for n in range(20_000))
    copy.write_bytes(gzip.compress(lines.encode())[:-2000])
    path, done = make_report(folder, folder / "runs/holes", code=1)
    assert "1 line is no record, the first is line 4" in done.stderr
    assert "runner-target-1.jsonl.gz: the gzip data is cut or damaged" in done.stderr
    (run,) = data(path)["runs"]
    read = {file["path"]: file["records"] for file in run["files"]}
    assert read["logs/runner-target-1.jsonl.gz"] > 1000
    page = opened(browser, path)
    told = page.evaluate("[...document.querySelectorAll('#missing li')].map((line) => line.innerText)")
    for words in ("17 records are missing", "first is line 4", "cut or damaged", "k6 counted"):
        assert any(words in line for line in told), (words, told)
    assert_quiet(page, path)
