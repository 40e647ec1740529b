"""The tables: a budget of promises.md, what was measured, met or not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One figure beside its budget; `met` is None where there is nothing to be met."""

    name: str
    what: str
    ours: float | None
    unit: str
    budget: str
    met: bool | None
    stock: float | None = None

    def data(self) -> dict[str, Any]:
        return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in asdict(self).items()}


def at_most(
    name: str, what: str, ours: float, unit: str, most: float, stock: float | None = None, ratio: float | None = None
) -> Row:
    """Kept where it is no more than `most`, and no more than `ratio` of stock where both are given."""
    met = ours <= most and (ratio is None or stock is None or ours <= stock * ratio)
    also = f", ≤{ratio:g}× stock" if ratio else ""
    return Row(name, what, ours, unit, f"≤{most:g}{also}", met, stock)


def at_least(
    name: str, what: str, ours: float, unit: str, least: float, stock: float | None = None, ratio: float | None = None
) -> Row:
    met = ours >= least and (ratio is None or stock is None or ours >= stock * ratio)
    also = f", ≥{ratio:g}× stock" if ratio else ""
    return Row(name, what, ours, unit, f"≥{least:g}{also}", met, stock)


def told(name: str, what: str, ours: float | None, unit: str, stock: float | None = None) -> Row:
    """A figure without a budget."""
    return Row(name, what, ours, unit, "", None, stock)


def table(rows: Sequence[Row]) -> str:
    """Markdown that is read as well on a terminal."""
    cells = [("", "What", "Ours", "Stock Rasa", "Budget", "Met")]
    for row in rows:
        met = "" if row.met is None else "yes" if row.met else "NO"
        cells.append((row.name, row.what, _number(row.ours, row.unit), _number(row.stock, row.unit), row.budget, met))
    return _aligned(cells)


def where_table(idle: dict[str, float], busy: dict[str, float], parts: Sequence[tuple[str, str]]) -> str:
    cells = [("Part of a turn", "Idle, ms", "10 clients, ms", "What it is")]
    cells += [
        (name.replace("  ", "· "), _number(idle.get(name)), _number(busy.get(name)), what) for name, what in parts
    ]
    return _aligned(cells)


def _number(value: float | None, unit: str = "") -> str:
    if value is None or math.isnan(value):
        return "–"
    digits = 0 if value >= 100 or (unit in ("", "lost") and value == int(value)) else 1
    return f"{value:,.{digits}f} {unit}".strip()


def _aligned(cells: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[n]) for row in cells) for n in range(len(cells[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
