"""``driftloop demo``: the whole loop on a simulated plant, live."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.folders import try_folder
from services.cli.live import Scene, Stage, event_line, stage
from services.cli.options import LARGEST_SEED

if TYPE_CHECKING:
    from services.backtest.replay import Replay
    from services.backtest.result import BacktestResult, PolicyResult
    from services.backtest.tally import Tally
    from services.cli.cards import CardFile
    from services.embedded.plant import Plant
    from shared.events.base import Event

RECENT = 500
"""Labelled rows that "accuracy of late" looks back."""
NEVER, DRIFT = "never", "drift"


def command(
    context: typer.Context,
    rows: Annotated[int, typer.Option(min=2000, help="Records to simulate.")] = 12_000,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Another plant, and other models.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for the report, the ledger, the blobs.")] = Path("driftloop-demo"),
) -> None:
    """Watch a bottling plant drift, and Driftloop answer: detection, retraining, promotion, verification."""
    from services.backtest.replay import Replay
    from services.embedded.plant import Plant
    from shared.domain.pipeline_file import parse_pipeline

    try_folder(out, "--out")
    plant = Plant(seed, rows)
    pipeline = parse_pipeline(plant.pipeline_yaml(), "plant.yaml").model_copy(update={"seed": seed})
    what = Replay(pipeline, plant.batches, plant.label_delay)
    out.mkdir(parents=True, exist_ok=True)
    print(f"A bottling plant: will the laboratory pass this crate? {rows:,} crates, labels {plant.label_delay} late.")
    with stage() as shown:
        results = _both(what, plant, shown, out)
    _tell(_result(what, plant, results, context.obj), out)


def _both(what: Replay, plant: Plant, shown: Stage, out: Path) -> tuple[PolicyResult, PolicyResult]:
    """The model left alone first, quickly, so that its accuracy can stand beside the other's row by row."""
    from services.backtest.comparison import compare
    from services.cli.cards import CardFile

    alone = _Watch(NEVER, plant.rows, shown)
    never = compare(what, NEVER, alone.progress, observer=alone.look)
    cards = CardFile(out, what.pipeline)
    watched = _Watch(DRIFT, plant.rows, shown, beside=alone.quality_at, cards=cards)
    drift = compare(what, DRIFT, watched.progress, keep=out / "blobs", observer=watched.look)
    cards.write()
    return drift, never


class _Watch:
    """Turns a run's progress into scenes and sentences."""

    def __init__(
        self,
        name: str,
        total: int,
        shown: Stage,
        beside: Callable[[int], str] | None = None,
        cards: CardFile | None = None,
    ) -> None:
        from services.cli.words import Narrator

        self._scene = Scene(name, total=total)
        self._shown = shown
        self._beside = beside
        self._narrator = Narrator() if cards else None
        self._cards = cards
        self._told = 0
        self._started = perf_counter()
        self._history: list[tuple[int, str]] = []

    def progress(self, rows: int) -> None:
        self._scene.rows = rows
        self._scene.seconds = perf_counter() - self._started

    def look(self, tally: Tally) -> None:
        scene = self._scene
        scene.quality[scene.name] = _accuracy(tally)
        self._history.append((scene.rows, scene.quality[scene.name]))
        if self._beside:
            scene.quality[NEVER] = self._beside(scene.rows)
        self._narrate(tally)
        self._shown.show(scene)

    def quality_at(self, row: int) -> str:
        """What the accuracy of late was at that row; the runs cut the stream alike, but one may end earlier."""
        place = min(len(self._history) - 1, next((i for i, (r, _) in enumerate(self._history) if r >= row), 0))
        return self._history[place][1]

    def _narrate(self, tally: Tally) -> None:
        from services.cli.words import brief
        from shared.events.deployment import CandidatePromoted, PromotionRolledBack

        fresh, self._told = tally.ledger[self._told :], len(tally.ledger)
        for event in fresh:
            if isinstance(event, CandidatePromoted | PromotionRolledBack):
                version = event.version if isinstance(event, CandidatePromoted) else event.to
                self._scene.champion = f"{brief(version)} (generation {event.generation})"
        if self._cards:
            self._cards.add(fresh)
        if self._narrator:
            for told in self._narrator.tell(fresh):
                if not told.routine:
                    self._shown.happened(told.row, told.words)


def _accuracy(tally: Tally) -> str:
    latest = tally.latest(RECENT)
    return f"{100 * (1 - latest.mean_loss):.1f} %" if latest.n else "–"


def _result(
    what: Replay, plant: Plant, results: tuple[PolicyResult, ...], arguments: list[str] | None
) -> BacktestResult:
    import shlex

    from services.backtest.result import BacktestResult

    return BacktestResult(
        data="bottling plant (simulated)",
        records=plant.rows,
        initial=what.initial,
        label_delay=plant.label_delay,
        seed=plant.seed,
        task="classification",
        policies=results,
        settings=plant.pipeline_yaml(),
        truth=tuple((change.first_row, change.last_row, change.says) for change in plant.truth()),
        command=shlex.join(["driftloop", *(arguments or ())]),
    )


def _tell(result: BacktestResult, out: Path) -> None:
    from services.cli.outcome import LEDGER, conclusion, print_table, wrapped, write

    report = write(result, out)
    (out / "pipeline.yaml").write_text(result.settings, "utf-8")
    (out / LEDGER).write_text(_own_ledger(result), "utf-8")
    print()
    print_table(result)
    print("\nWhat happened to the plant (»), and what Driftloop did about it:")
    for row, words in _story(result):
        print(f"  {event_line(row, words)}")
    print(f"\n{wrapped(conclusion(result))}\n\nLook closer: driftloop timeline {out}; driftloop explain VERSION {out}")
    print(f"Report: {report}")


def _story(result: BacktestResult) -> list[tuple[int, str]]:
    """The decisions that matter most, among the changes that were really made to the plant."""
    from services.cli.words import Narrator
    from shared.events import deployment, drift_detection

    kinds = (
        deployment.CandidatePromoted, deployment.PromotionVerified, deployment.PromotionRolledBack,
        drift_detection.DriftDetected, drift_detection.DataFaultFound, drift_detection.DataFaultCleared,
    )  # fmt: skip
    events = [event for event in result.policies[0].ledger if isinstance(event, kinds)]
    narrator = Narrator()
    told = [(told.row, _in_short(event, told.words)) for event in events for told in narrator.tell([event])]
    return sorted([*((first, f"» {says}") for first, _, says in result.truth), *told], key=lambda line: line[0])


def _in_short(event: Event, words: str) -> str:
    """Reasons, counts and dates are in the timeline; here they would hide the course of things."""
    from services.cli.words import promotion_words
    from shared.events.deployment import CandidatePromoted

    return promotion_words(event) if isinstance(event, CandidatePromoted) else words.partition("; ")[0]


def _own_ledger(result: BacktestResult) -> str:
    from services.backtest.ledger_dump import dump

    return "".join(dump(result.policies[0].ledger))
