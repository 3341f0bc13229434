"""From declarations to Grafana's JSON: the page around the panels."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

from deploy.grafana.panel import Dashboard, Panel, Row, Variable
from deploy.grafana.write_panel import SOURCE, at, write

SCHEMA = 41  # Grafana 11.6
COLUMNS = 24
RUNBOOK = "/public/novabatch/runbook.md"
Json = dict[str, Any]


def text(dashboard: Dashboard, runbook: str = RUNBOOK) -> str:
    """Return the file of a dashboard; ``runbook`` is the address of the runbook's page."""
    return json.dumps(_dashboard(dashboard, runbook), indent=1) + "\n"


def _dashboard(dashboard: Dashboard, runbook: str) -> Json:
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
        "templating": {"list": [_datasource(), *map(_variable, dashboard.variables), _runbook(runbook)]},
        "annotations": {"list": [_versions()]},
        "panels": list(_placed(dashboard)),
    }


def _placed(dashboard: Dashboard) -> Iterator[Json]:
    ids, top = count(1), 0
    for row in dashboard.rows:
        yield {"id": next(ids), "type": "row", "title": row.title, "collapsed": False, "panels": []} | at(
            0, top, COLUMNS, 1
        )
        top += 1
        for panel, left, down in _places(row):
            yield {"id": next(ids)} | write(panel) | at(left, top + down, panel.width, panel.height)
        top += max(down + panel.height for panel, _, down in _places(row))


def _places(row: Row) -> Iterator[tuple[Panel, int, int]]:
    """Set panels side by side, and below where the row is full."""
    left = down = line = 0
    for panel in row.panels:
        if left + panel.width > COLUMNS:
            left, down, line = 0, down + line, 0
        yield panel, left, down
        left, line = left + panel.width, max(line, panel.height)


def _links() -> Json:
    return {
        "type": "dashboards",
        "title": "novabatch",
        "icon": "external link",
        "tooltip": "The other pages of novabatch",
        "tags": ["novabatch"],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
    }


def _versions() -> Json:
    """Mark the moments at which another version appears."""
    by = "count by (version) (novabatch_build_info"
    return {
        "name": "New versions",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "blue",
        "expr": f"{by}) unless {by} offset 5m)",
        "titleFormat": "novabatch {{version}}",
        "step": "60s",
    }


def _datasource() -> Json:
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"}


def _runbook(address: str) -> Json:
    """Let a person say where the runbook lies; the links of the panels begin with it."""
    chosen = {"text": address, "value": address}
    return {"name": "runbook", "type": "textbox", "label": "Runbook", "query": address, "current": chosen}


def _variable(variable: Variable) -> Json:
    asked = f"label_values({variable.metric}, {variable.name})"
    return {
        "name": variable.name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": asked, "refId": "A"},
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": ["All"], "value": ["$__all"]},
        "refresh": 2,
        "sort": 1,
    }
