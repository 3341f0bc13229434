"""The shipped rules on a real Prometheus, which scrapes what a test tells it."""

from pathlib import Path

import pytest

from deploy.local import processes
from tests.prometheus import prometheus_server, watching


def test_a_consumer_that_does_not_answer_is_on_its_way_to_an_alert(prometheus: Path, tmp_path: Path) -> None:
    ports = {"submit": processes.free_port()}
    with watching(prometheus, tmp_path / "prometheus", ports) as server:
        pending = 'ALERTS{alertname="NovabatchConsumerDown", alertstate="pending", consumer="submit"}'
        assert processes.wait_until(lambda: bool(server.query(pending)), 20)
        ((labels, _),) = server.query(pending)
        assert labels["severity"] == "critical"


def test_a_server_that_cannot_read_its_config_says_why(prometheus: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(processes.NotStartedError, match="no_such_setting"),
        prometheus_server(prometheus, tmp_path, {"no_such_setting": 1}),
    ):
        pass
