"""From declarations to Grafana's JSON."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

from deploy.grafana.panel import Dashboard, Panel, Row, Variable

SCHEMA = 41  # Grafana 11.6
COLUMNS = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
Json = dict[str, Any]


def text(dashboard: Dashboard) -> str:
    """Return the file of a dashboard."""
    return json.dumps(_dashboard(dashboard), indent=1) + "\n"


def _dashboard(dashboard: Dashboard) -> Json:
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["novabatch"],
        "schemaVersion": SCHEMA,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "links": [_links()],
        "templating": {"list": [_datasource(), *map(_variable, dashboard.variables)]},
        "annotations": {"list": []},
        "panels": list(_placed(dashboard)),
    }


def _placed(dashboard: Dashboard) -> Iterator[Json]:
    ids, top = count(1), 0
    for row in dashboard.rows:
        yield {"id": next(ids), "type": "row", "title": row.title, "collapsed": False, "panels": []} | _at(
            0, top, COLUMNS, 1
        )
        top += 1
        for panel, left, down in _places(row):
            yield {"id": next(ids)} | _panel(panel) | _at(left, top + down, panel.width, panel.height)
        top += max(down + panel.height for panel, _, down in _places(row))


def _places(row: Row) -> Iterator[tuple[Panel, int, int]]:
    """Set panels side by side, and below where the row is full."""
    left = down = line = 0
    for panel in row.panels:
        if left + panel.width > COLUMNS:
            left, down, line = 0, down + line, 0
        yield panel, left, down
        left, line = left + panel.width, max(line, panel.height)


def _at(x: int, y: int, w: int, h: int) -> Json:
    return {"gridPos": {"x": x, "y": y, "w": w, "h": h}}


def _panel(panel: Panel) -> Json:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "targets": [
            {"refId": chr(65 + n), "datasource": SOURCE, "expr": each.expr, "legendFormat": each.legend}
            | ({"instant": True, "range": False} if panel.kind == "stat" else {})
            for n, each in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _stat() if panel.kind == "stat" else _lines(),
    }


def _defaults(panel: Panel) -> Json:
    steps = [{"color": "green", "value": None}, *({"color": c, "value": v} for c, v in panel.steps)]
    said: Json = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.kind == "stat":
        return said | {"color": {"mode": "thresholds"}}
    stacking = {"mode": "normal" if panel.stacked else "none", "group": "A"}
    custom = {"drawStyle": "line", "fillOpacity": panel.stacked, "showPoints": "never", "stacking": stacking}
    return said | {"color": {"mode": "palette-classic"}, "min": 0, "custom": custom}


def _stat() -> Json:
    reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    return {"reduceOptions": reduce, "colorMode": "background", "graphMode": "none", "textMode": "auto"}


def _lines() -> Json:
    legend = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}


def _links() -> Json:
    return {
        "type": "dashboards",
        "title": "novabatch",
        "tags": ["novabatch"],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
    }


def _datasource() -> Json:
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"}


def _variable(variable: Variable) -> Json:
    asked = f"label_values({variable.metric}, {variable.name})"
    return {
        "name": variable.name,
        "type": "query",
        "datasource": SOURCE,
        "definition": asked,
        "query": {"query": asked, "refId": "A"},
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": ["All"], "value": ["$__all"]},
        "refresh": 2,
        "sort": 1,
    }
