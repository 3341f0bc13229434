"""From a declared panel to Grafana's JSON."""

from collections.abc import Sequence
from typing import Any

from deploy.grafana.panel import Panel, Query

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
DETAIL = "novabatch-consumer"
Json = dict[str, Any]


def write(panel: Panel) -> Json:
    """Return everything of a panel but its place."""
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "targets": [_target(panel, chr(65 + n), each) for n, each in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _overrides(panel)},
        "options": {"stat": _stat, "table": _table, "timeseries": _lines}[panel.kind](panel),
        "links": [_entry(alert) for alert in panel.alerts] or [_link("Runbook", "${runbook}")],
        **({"transformations": [_columns(panel.columns)]} if panel.columns else {}),
    }


def at(x: int, y: int, w: int, h: int) -> Json:
    """Return a place on the grid."""
    return {"gridPos": {"x": x, "y": y, "w": w, "h": h}}


def _target(panel: Panel, letter: str, query: Query) -> Json:
    told = {"refId": letter, "datasource": SOURCE, "expr": query.expr, "legendFormat": query.legend}
    if panel.kind == "timeseries":
        return told
    once = {"instant": True, "range": False}
    return told | once | ({"format": "table"} if panel.kind == "table" else {})


def _defaults(panel: Panel) -> Json:
    steps = [{"color": panel.base, "value": None}, *({"color": c, "value": v} for c, v in panel.steps)]
    said: Json = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.words:
        said["mappings"] = [_words(panel)]
    if panel.blank:
        said["noValue"] = panel.blank
    if panel.drill:
        said["links"] = [_detail(panel.drill)]
    if panel.kind == "timeseries":
        return said | {"color": {"mode": "palette-classic"}, "min": 0, "custom": _drawn(panel)}
    return said | {"color": {"mode": "thresholds"}}


def _words(panel: Panel) -> Json:
    told = {f"{value:g}": {"text": text, "color": color} for value, (text, color) in panel.words.items()}
    return {"type": "value", "options": told}


def _drawn(panel: Panel) -> Json:
    return {
        "drawStyle": "line",
        "fillOpacity": panel.stacked,
        "showPoints": "never",
        "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "line" if panel.steps else "off"},
    }


def _overrides(panel: Panel) -> list[Json]:
    """Let the names of alerts lead to their entries in the runbook."""
    if "alertname" not in panel.columns:
        return []
    link = {
        "title": "Runbook",
        "url": "${runbook}#${__value.raw}",
        "targetBlank": True,
    }
    return [
        {
            "matcher": {"id": "byName", "options": "alertname"},
            "properties": [{"id": "links", "value": [link]}],
        }
    ]


def _columns(names: Sequence[str]) -> Json:
    """Order the columns, without the time; the value takes the last name."""
    order = {**{name: place for place, name in enumerate(names[:-1])}, "Value": len(names) - 1}
    rename = {"Value": names[-1]}
    told = {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": rename}
    return {"id": "organize", "options": told}


def _stat(panel: Panel) -> Json:
    return {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "background",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "showPercentChange": False,
        "textMode": "value_and_name" if any(each.legend for each in panel.queries) else "auto",
        "wideLayout": True,
    }


def _table(_: Panel) -> Json:
    return {"showHeader": True, "frameIndex": 0, "cellHeight": "sm"}


def _lines(_: Panel) -> Json:
    legend = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}


def _entry(alert: str) -> Json:
    return _link(f"What to do: {alert}", f"${{runbook}}#{alert.lower()}")


def _link(title: str, url: str) -> Json:
    return {
        "type": "link",
        "title": title,
        "icon": "doc",
        "tooltip": "",
        "url": url,
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "targetBlank": True,
    }


def _detail(label: str) -> Json:
    value = f"${{__field.labels.{label}}}"
    url = f"/d/{DETAIL}?var-{label}={value}&${{datasource:queryparam}}&${{__url_time_range}}"
    return {"title": f"Consumer detail of {value}", "url": url, "targetBlank": False}
