"""`Metrics`: every metric there is, named once. Labels are bounded: a stranger can't make series without end."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest

from shared.runtime.ports import LogError

PIPELINES = 200
"""Pipelines with series of their own; later ones share `OTHERS`."""
RULES = 200
"""Rules with series of their own."""
OTHERS = "other"
AGES = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
REQUESTS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
WORK = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
PROMOTIONS = (1, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400)


class Bound:
    """Label values as they are, until there are ``limit`` of them; later ones are `OTHERS`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: set[str] = set()
        self._lock = Lock()

    def __call__(self, value: str) -> str:
        with self._lock:
            if value not in self._known and len(self._known) >= self._limit:
                return OTHERS
            self._known.add(value)
            return value


class Metrics:
    """One process's numbers. Thread-safe, as the client library is."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.pipeline = Bound(PIPELINES)
        """The label for a pipeline."""
        self.rule = Bound(RULES)
        """The label for a rule of a contract: check and column."""
        self._flow()
        self._data()
        self._model()
        self._process()

    def text(self) -> bytes:
        """All of them, in the format that Prometheus scrapes."""
        return generate_latest(self.registry)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """One HTTP request. ``route`` is the template, never the path."""
        self.http_request_seconds.labels(method, route, str(status)).observe(seconds)

    def degraded(self, what: str) -> None:
        """Something that one can do without did not work."""
        self.degradations.labels(what).inc()

    def reopened(self, error: LogError) -> None:
        self.log_errors.labels(type(error).__name__).inc()

    def _flow(self) -> None:
        self.messages_read = self._counter("messages_read", "Messages taken from the log.", "topic")
        self.messages_written = self._counter("messages_written", "Messages appended to the log.", "topic")
        self.event_age_seconds = self._histogram(
            "event_age_seconds", "From a message's append to its handling here.", AGES, "topic"
        )
        self.lag_messages = self._gauge(
            "lag_messages", "Offsets between what was read and the end, over all owned partitions.", "topic"
        )
        self.set_aside = self._counter("messages_set_aside", "Messages that a core failed on.", "topic")
        self.dead_letters = self._counter("dead_letters", "Messages to records.dead.", "pipeline", "reason")

    def _data(self) -> None:
        self.rows_accepted = self._counter("rows_accepted", "Rows that keep the contract.", "pipeline")
        self.rows_rejected = self._counter("rows_rejected", "Rows that break a rule.", "pipeline", "rule")
        self.evidence_ratio = self._gauge(
            "drift_evidence_ratio", "Evidence for drift against its threshold; 1 is an alarm.", "pipeline", "test"
        )
        self.data_faults_open = self._gauge("data_faults_open", "Data faults that block retraining.", "pipeline")
        self.drifts = self._counter("drifts", "Drifts detected.", "pipeline", "origin")
        self.episodes_open = self._gauge("drift_episodes_open", "Drifts that are not answered yet.", "pipeline")

    def _model(self) -> None:
        self.quality = self._gauge(
            "model_quality",
            "Of the version in service, over its newest labelled rows.",
            "pipeline",
            "version",
            "measure",
        )
        self.served = Info("driftloop_model_served", "The version in service.", ["pipeline"], registry=self.registry)
        self.labels = self._counter("labels", "Labels by what became of them.", "pipeline", "outcome")
        self.promotions = self._counter("promotions", "Versions put into service.", "pipeline", "rule")
        self.rollbacks = self._counter("rollbacks", "Promotions that were taken back.", "pipeline")
        self.promotion_seconds = self._histogram(
            "detected_to_promoted_seconds", "From a detected drift to the promotion that answers it.", PROMOTIONS
        )
        self.job_seconds = self._histogram("job_seconds", "Duration of a job's work.", WORK, "kind")
        self.jobs_failed = self._counter("jobs_failed", "Attempts at a job without a result.", "pipeline")
        self.jobs_running = self._gauge(
            "jobs_running", "Jobs that are claimed and not over, of the pipelines held here."
        )

    def _process(self) -> None:
        self.ready = self._gauge("ready", "What /readyz says: 1 is yes.")
        self.http_request_seconds = self._histogram(
            "http_request_seconds", "HTTP requests.", REQUESTS, "method", "route", "status"
        )
        self.desk_bytes = self._gauge("desk_bytes", "Bytes of requests that wait for their answer.")
        self.log_errors = self._counter(
            "log_errors", "Errors of the log after which everything was opened anew.", "error"
        )
        self.offers_lost = self._counter("offers_lost", "Deliveries of scored rows that the stream never got.")
        self.degradations = self._counter("degradations", "Failures of what can be done without.", "what")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"driftloop_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"driftloop_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"driftloop_{name}", text, labels, registry=self.registry, buckets=buckets)


def names(metrics: Metrics) -> Mapping[str, str]:
    """Metric -> help text, as scraped; for documents and their tests."""
    return {family.name: family.documentation for family in metrics.registry.collect()}
