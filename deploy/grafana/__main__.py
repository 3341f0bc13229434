"""Write the dashboards: python -m deploy.grafana."""

from pathlib import Path

from deploy.grafana.consumer import CONSUMER
from deploy.grafana.overview import OVERVIEW
from deploy.grafana.pipeline import PIPELINE
from deploy.grafana.storage import STORAGE
from deploy.grafana.write import text

FOLDER = Path(__file__).parent / "dashboards"
DASHBOARDS = (OVERVIEW, PIPELINE, STORAGE, CONSUMER)

if __name__ == "__main__":
    for each in DASHBOARDS:
        (FOLDER / f"{each.uid}.json").write_text(text(each))
