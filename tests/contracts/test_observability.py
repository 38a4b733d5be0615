"""Rules and dashboards ask for metrics that exist, parse, fire when they should, and lead to an explanation."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from shared.operations.metrics import Metrics
from tests.contracts.deployment import ROOT, SERVICES, blocks, promtool, text_of

PROMETHEUS = ROOT / "infra/prometheus"
GRAFANA = ROOT / "infra/grafana"
CASES = Path(__file__).parent / "alerts"
GUIDE = "docs/how-to/operate.md"
OF_THE_TARGET = {"job", "instance", "service", "le"}
"""Labels that Prometheus adds, and the buckets'."""
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "info": ("_info",), "gauge": ("",)}
NAMED = re.compile(r"\b((?:driftloop|process)_\w+)(?:\{([^}]*)\})?")
MATCHED = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
GROUPED = re.compile(r"\b(?:by|without|on|ignoring) \(([^)]*)\)")
QUERIED = re.compile(r"label_values\((?P<selector>.*), (?P<label>\w+)\)")
BUILT_IN = {"$__rate_interval": "1m", "$pipeline": ".*", "$service": ".*"}
PANELS = {"row", "stat", "table", "timeseries"}


def rules() -> list[dict[str, Any]]:
    files = [yaml.safe_load(path.read_text()) for path in sorted(PROMETHEUS.glob("rules/*.yml"))]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def dashboards() -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(GRAFANA.glob("dashboards/*.json"))}


def queries(dashboard: dict[str, Any]) -> list[str]:
    """As Grafana would send them: variables filled in."""
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    asked += [variable["query"]["query"] for variable in dashboard["templating"]["list"]]
    return [filled(query) for query in asked]


def filled(query: str) -> str:
    for name, value in BUILT_IN.items():
        query = query.replace(name, value)
    return QUERIED.sub(r"count by (\g<label>) (\g<selector>)", query)


def every_query() -> list[str]:
    shown = [query for dashboard in dashboards().values() for query in queries(dashboard)]
    return [*(rule["expr"] for rule in rules()), *shown]


def known() -> dict[str, set[str]]:
    """Sample name -> its own labels."""
    metrics = Metrics()
    process = {family.name: family.type for family in metrics.registry.collect() if "process_" in family.name}
    found = {f"{name}{suffix}": set[str]() for name, kind in process.items() for suffix in SUFFIXES[kind]}
    # The library tells the labels of a metric to nobody before there is a sample.
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            extra = {"version"} if metric._type == "info" else set()
            found |= {
                f"{metric._name}{suffix}": {*metric._labelnames, *extra} for suffix in SUFFIXES[str(metric._type)]
            }
    return found


@pytest.mark.parametrize("query", every_query())
class TestEveryQuery:
    def test_asks_for_metrics_that_exist(self, query: str) -> None:
        assert {name for name, _ in NAMED.findall(query)} <= known().keys()

    def test_asks_for_labels_that_they_have(self, query: str) -> None:
        for name, matchers in NAMED.findall(query):
            assert set(MATCHED.findall(matchers)) <= known()[name] | OF_THE_TARGET
        had = set().union(*(known()[name] for name, _ in NAMED.findall(query)))
        grouped = {label.strip() for labels in GROUPED.findall(query) for label in labels.split(",")}
        assert grouped <= had | OF_THE_TARGET


def test_every_metric_of_ours_is_shown_somewhere() -> None:
    """What nobody ever looks at need not be measured."""
    shown = {family_of(name) for query in every_query() for name, _ in NAMED.findall(query)}
    assert {family_of(name) for name in known() if name.startswith("driftloop_")} - shown == set()


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    recorded = [{"record": f"query_{number}", "expr": query} for number, query in enumerate(every_query())]
    (tmp_path / "queries.yml").write_text(json.dumps({"groups": [{"name": "queries", "rules": recorded}]}))
    tmp_path.chmod(0o755)
    promtool("check", "rules", "/queries/queries.yml", mounts={tmp_path: "/queries"})


def test_prometheus_accepts_its_configuration_and_rules() -> None:
    promtool("check", "config", "/etc/prometheus/prometheus.yml", mounts={PROMETHEUS: "/etc/prometheus"})


def test_alerts_fire_when_they_should_and_only_then() -> None:
    cases = [f"/alerts/{path.name}" for path in sorted(CASES.glob("*.yml"))]
    promtool("test", "rules", *cases, mounts={PROMETHEUS / "rules": "/rules", CASES: "/alerts"})


def test_every_alert_is_seen_to_fire() -> None:
    cases = [test for path in CASES.glob("*.yml") for test in yaml.safe_load(path.read_text())["tests"]]
    fired = {each["alertname"] for test in cases for each in test["alert_rule_test"] if each["exp_alerts"]}
    assert fired == {rule["alert"] for rule in rules()}


def test_every_service_is_scraped_and_missed() -> None:
    [job] = [
        job
        for job in yaml.safe_load(text_of("infra/prometheus/prometheus.yml"))["scrape_configs"]
        if "dns_sd_configs" in job
    ]
    [found] = job["dns_sd_configs"]
    [down] = [rule["expr"] for rule in rules() if rule["alert"] == "DriftloopServiceDown"]
    assert sorted(found["names"]) == list(SERVICES)
    assert sorted(re.findall(r'absent\(up\{service="(\w+)"', down)) == list(SERVICES)
    assert {str(found["port"])} == {blocks()[name]["environment"]["DRIFTLOOP_OPERATIONS_PORT"] for name in SERVICES}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
class TestEveryAlert:
    def test_says_what_is_wrong_and_how_bad_that_is(self, rule: dict[str, Any]) -> None:
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"].keys() == {"summary", "description", "runbook"}

    def test_leads_to_what_can_be_done(self, rule: dict[str, Any]) -> None:
        file, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert file == GUIDE
        assert anchor in anchors()


def test_every_remedy_belongs_to_an_alert() -> None:
    explained = text_of(GUIDE).partition("## When an alert fires\n")[2].partition("\n## ")[0]
    wanted = [rule["annotations"]["runbook"].partition("#")[2] for rule in rules()]
    assert sorted(anchors(explained)) == sorted(wanted)


@pytest.mark.parametrize("name", dashboards())
class TestEveryDashboard:
    def test_is_what_grafana_loads(self, name: str) -> None:
        wanted = {"uid", "title", "schemaVersion", "panels", "templating", "time", "refresh", "timezone", "tags"}
        assert wanted <= dashboards()[name].keys()
        assert "id" not in dashboards()[name], "a number of one Grafana's database"

    def test_has_panels_that_say_what_they_show(self, name: str) -> None:
        for panel in panels(name):
            assert panel["type"] in PANELS
            assert panel["title"]
            assert panel["description"]
            assert panel["fieldConfig"]["defaults"]["unit"]

    def test_counts_its_panels_and_their_queries(self, name: str) -> None:
        ids = Counter(panel["id"] for panel in dashboards()[name]["panels"])
        assert max(ids.values()) == 1
        for panel in panels(name):
            references = [target["refId"] for target in panel["targets"]]
            assert references
            assert len(set(references)) == len(references)

    def test_has_no_panels_on_top_of_each_other(self, name: str) -> None:
        places = [panel["gridPos"] for panel in dashboards()[name]["panels"]]
        assert all(place["x"] + place["w"] <= 24 for place in places)
        assert not [pair for pair in combinations(places, 2) if overlap(*pair)]

    def test_asks_a_data_source_that_is_there(self, name: str) -> None:
        [source] = yaml.safe_load(text_of("infra/grafana/provisioning/datasources/prometheus.yml"))["datasources"]
        asked = [panel["datasource"] for panel in panels(name)]
        asked += [target["datasource"] for panel in panels(name) for target in panel["targets"]]
        asked += [variable["datasource"] for variable in dashboards()[name]["templating"]["list"]]
        assert all(each == {"type": source["type"], "uid": source["uid"]} for each in asked)

    def test_links_to_dashboards_that_exist(self, name: str) -> None:
        addresses = {f"/d/{dashboard['uid']}" for dashboard in dashboards().values()}
        assert {link["url"] for link in dashboards()[name]["links"]} < addresses


def test_grafana_looks_where_the_files_are_mounted() -> None:
    [provider] = yaml.safe_load(text_of("infra/grafana/provisioning/dashboards/driftloop.yml"))["providers"]
    mounts = dict(volume.split(":")[1::-1] for volume in blocks()["grafana"]["volumes"])
    folder = provider["options"]["path"]
    home = blocks()["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert ROOT / mounts[folder] == GRAFANA / "dashboards"
    assert (GRAFANA / "dashboards" / Path(home).relative_to(folder)).exists()


def panels(name: str) -> Iterator[dict[str, Any]]:
    """Those that show something."""
    return (panel for panel in dashboards()[name]["panels"] if panel["type"] != "row")


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    apart = (
        one["x"] + one["w"] <= other["x"]
        or other["x"] + other["w"] <= one["x"]
        or one["y"] + one["h"] <= other["y"]
        or other["y"] + other["h"] <= one["y"]
    )
    return not apart


def family_of(sample: str) -> str:
    return re.sub(r"_(total|bucket|count|sum|info)$", "", sample)


def anchors(text: str | None = None) -> list[str]:
    """Of the guide's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text_of(GUIDE) if text is None else text, re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
