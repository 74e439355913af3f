"""A dashboard as text: where its panels lie, for those who change it without a Grafana at hand."""

from __future__ import annotations

from tools.dashboards.model import GRID_WIDTH, Json

# Characters of a column of the grid.
COLUMN = 5


def drawn(dashboard: Json) -> str:
    """Boxes with the title and the kind of each panel; folded rows opened."""
    panels: list[Json] = []
    for panel in dashboard["panels"]:
        panels += [panel, *panel.get("panels", [])]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    canvas = [[" "] * (GRID_WIDTH * COLUMN + 1) for _ in range(height + 1)]

    def write(x: int, y: int, text: str) -> None:
        canvas[y][x : x + len(text)] = text

    # Rows last: the line above is where the panels before them end.
    for panel in sorted(panels, key=lambda panel: panel["type"] == "row"):
        place = panel["gridPos"]
        left, width = place["x"] * COLUMN, place["w"] * COLUMN
        top, bottom = place["y"], place["y"] + place["h"]
        if panel["type"] == "row":
            write(left, top, f"== {panel['title']} ".ljust(width + 1, "="))
            continue
        for y in range(top, bottom):
            write(left, y, f"|{' ' * (width - 1)}|")
        write(left, top, f"+{'-' * (width - 1)}+")
        write(left, bottom, f"+{'-' * (width - 1)}+")
        write(left + 2, top + 1, f"{panel['title']} ({panel['type']})"[: width - 3])
    body = "\n".join("".join(line).rstrip() for line in canvas)
    return f"{dashboard['title']} ({dashboard['uid']})\n{body}\n"
