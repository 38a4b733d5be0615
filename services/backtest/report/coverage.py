"""Which records no figure counts, and why the first model came late, in words."""

from __future__ import annotations

from services.backtest.report.figures import listed, whole
from services.backtest.report.policies import main_policy, trivial
from services.backtest.result import BacktestResult, Coverage
from shared.events.training import JobFailed


def coverage(result: BacktestResult) -> list[str]:
    """Sentences about the main policy's run; none where every record was let in, had a label, and was expected."""
    main = main_policy(result)
    # What answers without a model reads the label alone, and so counts refused records too.
    whose = "no figure" if trivial(main) else "no model’s figure"
    return [*_left_out(main.coverage, result.records, whose), *_late(result, main.coverage)]


def _left_out(found: Coverage, records: int, whose: str) -> list[str]:
    parts = [
        *([f"{whole(found.refused)} {'was' if found.refused == 1 else 'were'} refused"] if found.refused else []),
        *([f"{whole(found.unlabelled)} never got a label"] if found.unlabelled else []),
    ]
    return [f"Of {whole(records)} records {listed(parts)}: {whose} counts them."] if parts else []


def _late(result: BacktestResult, found: Coverage) -> list[str]:
    """The figures of models begin with the first one, and so later than the reader asked for."""
    first = found.served_from
    if first is None or first <= result.initial:
        return []
    why = _first_failure(result) or f"it took so many until {whole(result.initial)} had been let in with a label"
    when = f"served from record {whole(first + 1)} on" if first < result.records else "came after the last record"
    return [f"The first model {when} instead of from record {whole(result.initial + 1)} on: {why}."]


def _first_failure(result: BacktestResult) -> str | None:
    failures = (event for event in main_policy(result).ledger if isinstance(event, JobFailed))
    reason = next((event.reason for event in failures), None)
    return None if reason is None else f"at first, {reason.rstrip('.')}"
