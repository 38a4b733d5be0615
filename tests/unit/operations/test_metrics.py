"""Metrics follow Prometheus's conventions, and no stranger can make series without end."""

from __future__ import annotations

import re

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from shared.operations.metrics import OTHERS, Bound, Metrics, names
from shared.runtime.ports import Fenced

OURS = sorted(
    (each for each in Metrics().registry.collect() if each.name.startswith("driftloop_")), key=lambda m: m.name
)
UNITS = ("seconds", "bytes", "ratio", "messages", "info")
UNITLESS = ("driftloop_model_quality", "_open", "_running", "driftloop_ready")
"""Shares, counts of things, yes and no."""


@pytest.mark.parametrize("metric", OURS, ids=lambda metric: metric.name)
class TestEveryMetric:
    def test_is_named_as_prometheus_wants(self, metric: Metric) -> None:
        """https://prometheus.io/docs/practices/naming/"""
        assert re.fullmatch(r"driftloop_[a-z][a-z_]*[a-z]", metric.name)
        assert not metric.name.endswith(("_total", "_milliseconds", "_ms"))
        if metric.type == "gauge":
            assert metric.name.endswith((*UNITS, *UNITLESS))
        if metric.type == "histogram":
            assert metric.name.endswith("_seconds")

    def test_is_explained(self, metric: Metric) -> None:
        assert metric.documentation.endswith(".")


def test_two_processes_in_one_do_not_share_numbers() -> None:
    first, second = Metrics(), Metrics()
    first.set_aside.labels("labels").inc()
    assert second.registry.get_sample_value("driftloop_messages_set_aside_total", {"topic": "labels"}) is None


def test_what_is_scraped_can_be_parsed() -> None:
    metrics = Metrics()
    metrics.answered("POST", "/v1/pipelines/{name}/records", 202, 0.01)
    metrics.degraded("read model")
    metrics.reopened(Fenced("another one"))
    found = {family.name for family in text_string_to_metric_families(metrics.text().decode())}
    assert {"driftloop_http_request_seconds", "driftloop_degradations", "driftloop_log_errors"} <= found
    assert names(metrics)["driftloop_degradations"]


def test_the_first_values_keep_series_of_their_own() -> None:
    bound = Bound(2)
    assert [bound(name) for name in ("a", "b", "c", "a", "d")] == ["a", "b", OTHERS, "a", OTHERS]
