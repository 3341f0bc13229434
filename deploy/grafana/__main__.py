"""Write the dashboards: python -m deploy.grafana."""

from argparse import ArgumentParser
from pathlib import Path

from deploy.grafana.consumer import CONSUMER
from deploy.grafana.overview import OVERVIEW
from deploy.grafana.pipeline import PIPELINE
from deploy.grafana.storage import STORAGE
from deploy.grafana.write import RUNBOOK, text

FOLDER = Path(__file__).parent / "dashboards"
DASHBOARDS = (OVERVIEW, PIPELINE, STORAGE, CONSUMER)

if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m deploy.grafana", description="Write the dashboards.")
    parser.add_argument("--runbook", default=RUNBOOK, help="address of the runbook's page (%(default)s)")
    parser.add_argument("--to", type=Path, default=FOLDER, help="folder to write to (%(default)s)")
    chosen = parser.parse_args()
    for each in DASHBOARDS:
        (chosen.to / f"{each.uid}.json").write_text(text(each, chosen.runbook))
