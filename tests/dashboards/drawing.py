"""Pictures of dashboards: the preview page that Prometheus serves, in a headless browser."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from math import ceil, floor
from pathlib import Path
from urllib.parse import urlencode

from deploy.grafana.__main__ import DASHBOARDS
from deploy.grafana.panel import Dashboard
from deploy.grafana.write import text

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage")
BUDGET_MS = 20_000
SECONDS = 90
WIDTH, ROW, TOP = 1600, 36, 60
DRAWN = re.compile(r'<body data-drawn="')
PANEL = re.compile(r'<section [^>]*?data-title="(?P<title>[^"]*)" data-state="(?P<state>\w+)"')


def browser() -> str | None:
    """Return the browser's program, if there is one."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@dataclass(frozen=True, slots=True)
class Camera:
    """Takes pictures of the pages of one Prometheus, from one moment to another (Unix seconds)."""

    program: str
    url: str
    begin: float
    end: float
    interval: str = "10s"

    def take(self, dashboard: Dashboard, picture: Path, **chosen: str) -> None:
        """Write a picture of a dashboard."""
        size = f"--window-size={WIDTH},{TOP + ROW * height(dashboard)}"
        self._run(f"--screenshot={picture}", size, self._address(dashboard, chosen))

    def states(self, dashboard: Dashboard) -> Mapping[str, str]:
        """Return what each panel shows: data, none (in words of its own), empty, or error."""
        page = self._run("--dump-dom", self._address(dashboard, {}))
        assert DRAWN.search(page), page
        return {unescape(found["title"]): found["state"] for found in PANEL.finditer(page)}

    def _address(self, dashboard: Dashboard, chosen: Mapping[str, str]) -> str:
        when = {"from": floor(self.begin), "to": ceil(self.end), "interval": self.interval}
        variables = {f"var-{name}": value for name, value in chosen.items()}
        return (
            f"{self.url}/user/preview/index.html?{urlencode({'dashboard': dashboard.uid} | when | variables)}"
        )

    def _run(self, *more: str) -> str:
        command = [self.program, *QUIET, f"--virtual-time-budget={BUDGET_MS}", *more]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS)
        return done.stdout


def height(dashboard: Dashboard) -> int:
    """Return how many rows of the grid a dashboard takes."""
    places = [panel["gridPos"] for panel in json.loads(text(dashboard))["panels"]]
    return max(int(place["y"] + place["h"]) for place in places)


def all_pages(camera: Camera, folder: Path) -> None:
    """Write a picture of each dashboard into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for each in DASHBOARDS:
        camera.take(each, folder / f"{each.uid.removeprefix('novabatch-')}.png")
