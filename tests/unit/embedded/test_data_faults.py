"""Broken data through the whole loop: named within an epoch, nothing learnt from it, over after clean epochs."""

from __future__ import annotations

from functools import cache

import pyarrow as pa
import pytest

from services.embedded.system import Embedded
from shared.adapters.memory import MemoryBlobs
from shared.events.base import Event
from shared.events.commands import ClearFault
from shared.events.deployment import CommandRefused
from shared.events.drift_detection import DataFaultCleared, DataFaultFound, DriftDetected
from shared.events.topics import LEDGER
from shared.events.training import ProbeRequested, TrainingCompleted, TrainingRequested, TrainingSuppressed
from tests.unit.embedded import faulty
from tests.unit.embedded.faulty import EPOCH, between, life_of, sound
from tests.unit.embedded.lives import Life, learnt

FAULTS = {
    "unit change": ("unit-change", "heat", faulty.scaled("heat", 100)),
    "column gone": ("column-gone", "flow", faulty.without("flow", 10)),
    "null burst": ("null-burst", "mode", faulty.without("mode", 3)),
    "nulls in a number": ("null-burst", "load", faulty.without("load", 3)),
    "out of range": ("reject-surge", "parts", faulty.out_of_range("parts", 4)),
    "nulls where none may be": ("reject-surge", "parts", faulty.without("parts", 5)),
}
"""What goes wrong -> (kind, column, change)."""
STARTS = {"at an epoch's beginning": 500, "within an epoch": 520}
ENDS = 650
CASES = [pytest.param(name, start, id=f"{name} {where}") for name in FAULTS for where, start in STARTS.items()]


@cache
def broken(name: str, start: int) -> Life:
    return life_of(between(sound(), start, ENDS, FAULTS[name][2]))


def only(life: Life, kind: type[Event]) -> list[Event]:
    return [event for event in life.ledger if isinstance(event, kind)]


def the_fault(life: Life) -> tuple[DataFaultFound, DataFaultCleared]:
    """Its first word and its last: a column that stops within an epoch is a burst of nulls before it is gone."""
    found = [event for event in life.ledger if isinstance(event, DataFaultFound)]
    cleared = [event for event in life.ledger if isinstance(event, DataFaultCleared)]
    assert [event.fault for event in found] == [event.fault for event in cleared]
    assert len({event.column for event in found}) == 1
    assert {event.kind for event in found[:-1]} <= {"null-burst"}
    return found[0], cleared[-1]


def test_sound_data_has_no_fault() -> None:
    assert only(life_of(sound()), DataFaultFound) == []


@pytest.mark.parametrize(("name", "start"), CASES)
class TestAFault:
    def test_is_named_within_the_first_epoch_that_is_broken_throughout(self, name: str, start: int) -> None:
        found, over = the_fault(broken(name, start))
        kind, column, _ = FAULTS[name]
        told = only(broken(name, start), DataFaultFound)[-1]
        assert (told.kind, found.column, over.column) == (kind, column, column)  # type: ignore[attr-defined]
        assert start < found.last <= start + (EPOCH if start % EPOCH == 0 else 2 * EPOCH)

    def test_lets_nothing_be_learnt_until_it_is_over(self, name: str, start: int) -> None:
        life = broken(name, start)
        found, cleared = the_fault(life)
        during = life.ledger[life.ledger.index(found) : life.ledger.index(cleared)]
        assert [e for e in during if isinstance(e, TrainingRequested | ProbeRequested)] == []
        assert any("data fault is open" in e.reason for e in during if isinstance(e, TrainingSuppressed))

    def test_is_over_after_clean_epochs_and_then_learning_goes_on(self, name: str, start: int) -> None:
        life = broken(name, start)
        _, cleared = the_fault(life)
        assert cleared.by == "2 clean epochs"
        later = life.ledger[life.ledger.index(cleared) :]
        assert any(isinstance(event, ProbeRequested) for event in later)

    def test_leaves_none_of_its_rows_in_later_training_data(self, name: str, start: int) -> None:
        life = broken(name, start)
        _, cleared = the_fault(life)
        stretches = [(e.first, e.last) for e in only(life, DataFaultCleared) if isinstance(e, DataFaultCleared)]
        assert min(stretches)[0] <= start < ENDS <= max(last for _, last in stretches)
        later = life.ledger[life.ledger.index(cleared) :]
        requests = [event for event in later if isinstance(event, TrainingRequested | ProbeRequested)]
        assert all(set(stretches) <= set(event.data.excluded) for event in requests)
        rows = [position for e in later if isinstance(e, TrainingCompleted) for position in learnt(life, e)]
        assert [position for position in rows if start <= position < ENDS] == []

    def test_leads_to_no_model(self, name: str, start: int) -> None:
        """An epoch that is broken in part may look drifted, but nothing is trained for that."""
        trained = [e.trigger for e in only(broken(name, start), TrainingRequested) if isinstance(e, TrainingRequested)]
        assert set(trained) <= {"bootstrap", "check"}


@pytest.mark.parametrize("start", [500, 520, 540])
def test_the_answer_to_a_loss_does_not_overtake_the_triage(start: int) -> None:
    """Labels tell of a loss at once and forty of them would do for a training; the epoch takes a hundred rows."""
    changed = between(sound(), start, ENDS, faulty.scaled("heat", 100))
    life = life_of(changed, faulty.pipeline(epoch=100))
    found, cleared = the_fault(life)
    assert (found.kind, found.last) == ("unit-change", 600)
    before = life.ledger[: life.ledger.index(cleared)]
    assert any(isinstance(event, DriftDetected) and event.origin == "performance" for event in before)
    triggers = [event.trigger for event in before if isinstance(event, TrainingRequested | ProbeRequested)]
    assert set(triggers) == {"bootstrap", "check"}


def test_rows_from_before_and_after_a_fault_are_learnt_together() -> None:
    """Leaving out the fault's rows must not mean leaving out the past: a training spans the gap."""
    life = broken("unit change", 500)
    last = only(life, TrainingCompleted)[-1]
    assert isinstance(last, TrainingCompleted)
    positions = learnt(life, last)
    assert min(positions) < 500 < ENDS < max(positions)


def test_a_drift_of_two_spreads_is_no_fault_and_is_answered() -> None:
    life = life_of(between(sound(), 500, faulty.ROWS, faulty.moved("heat", 8)))
    assert only(life, DataFaultFound) == []
    (first, *_) = only(life, DriftDetected)
    assert isinstance(first, DriftDetected)
    assert 450 <= first.since_row <= 550
    answers = [e for e in only(life, ProbeRequested) if isinstance(e, ProbeRequested) and e.trigger != "check"]
    assert answers
    assert all(answer.data.excluded == () for answer in answers)


def test_a_suspected_swap_is_a_warning_on_the_episode() -> None:
    life = life_of(between(sound(), 500, faulty.ROWS, faulty.swapped("flow", "hum")))
    assert only(life, DataFaultFound) == []
    (first, *_) = only(life, DriftDetected)
    assert isinstance(first, DriftDetected)
    assert first.warnings == ("columns 'flow' and 'hum' look swapped",)
    assert {feature.name for feature in first.features} == {"flow", "hum"}


@pytest.mark.parametrize("columns", [("flow", "hum"), ("heat", "load")], ids=" and ".join)
def test_a_suspected_swap_blocks_where_the_file_says_so(columns: tuple[str, str]) -> None:
    changed = between(sound(), 500, ENDS, faulty.swapped(*columns))
    life = life_of(changed, faulty.pipeline(swap_blocks=True))
    found, cleared = the_fault(life)
    assert (found.kind, found.column) == ("column-swap", " and ".join(columns))
    assert found.last == 500 + EPOCH
    assert (cleared.first, cleared.last) == (500 - EPOCH, ENDS + EPOCH)
    during = life.ledger[life.ledger.index(found) : life.ledger.index(cleared)]
    assert [e for e in during if isinstance(e, TrainingRequested | ProbeRequested)] == []


class Press:
    """The loop with a fault open since row 500, and a person at the keyboard."""

    def __init__(self) -> None:
        self.pipeline = faulty.pipeline()
        self.system = Embedded(self.pipeline, MemoryBlobs())
        self.system.apply()
        self.ledger: list[Event] = []

    def feed(self, rows: pa.Table) -> None:
        for batch in rows.combine_chunks().to_batches(max_chunksize=faulty.BATCH):
            self.system.records(batch)

    def say(self, fault: str, command: str) -> None:
        self.system.command(ClearFault(pipeline=self.pipeline.name, command=command, fault=fault))

    def of(self, kind: type[Event]) -> list[Event]:
        self.ledger += [event for _, event in self.system.new_events(LEDGER.name)]
        return [event for event in self.ledger if isinstance(event, kind)]


@pytest.fixture
def press() -> Press:
    press = Press()
    press.feed(between(sound(), 500, 600, faulty.scaled("heat", 100)).slice(0, 600))
    return press


def test_a_person_ends_a_fault_once_and_its_rows_stay_out(press: Press) -> None:
    (found,) = press.of(DataFaultFound)
    assert isinstance(found, DataFaultFound)
    press.say(found.fault, "repaired")
    press.say(found.fault, "repaired")
    (cleared,) = press.of(DataFaultCleared)
    assert isinstance(cleared, DataFaultCleared)
    assert (cleared.fault, cleared.by) == (found.fault, "command repaired")
    assert (cleared.first, cleared.last) == (500 - EPOCH, 600 + EPOCH)
    assert press.of(CommandRefused) == []
    press.feed(sound().slice(600))
    assert (len(press.of(DataFaultFound)), len(press.of(DataFaultCleared))) == (1, 1)
    after = press.ledger[press.ledger.index(cleared) :]
    requests = [event for event in after if isinstance(event, TrainingRequested | ProbeRequested)]
    assert requests
    assert requests[0].row < 700, "two clean epochs would have ended it by then: the command changed nothing"
    assert all((cleared.first, cleared.last) in event.data.excluded for event in requests)


def test_data_that_is_still_broken_is_found_again(press: Press) -> None:
    (found,) = press.of(DataFaultFound)
    assert isinstance(found, DataFaultFound)
    press.say(found.fault, "hopeful")
    press.feed(faulty.scaled("heat", 100)(sound().slice(600, EPOCH)))
    first, second = press.of(DataFaultFound)
    assert isinstance(second, DataFaultFound)
    assert second.fault != found.fault
    assert (first, second.kind, second.column, second.first) == (found, "unit-change", "heat", 600)


def test_an_unknown_fault_is_refused_and_the_open_ones_are_named(press: Press) -> None:
    (found,) = press.of(DataFaultFound)
    assert isinstance(found, DataFaultFound)
    press.say("f00", "typo")
    press.say(found.fault, "right")
    press.say(found.fault, "too late")
    typo, late = press.of(CommandRefused)
    assert isinstance(typo, CommandRefused)
    assert isinstance(late, CommandRefused)
    assert (typo.command, late.command) == ("typo", "too late")
    assert typo.reason == f"no data fault f00 is open; open: {found.fault} (unit-change of heat)"
    assert late.reason.endswith("open: none")
    assert len(press.of(DataFaultCleared)) == 1


def test_a_fault_is_refused_before_any_record_came() -> None:
    press = Press()
    press.say("f00", "early")
    (refused,) = press.of(CommandRefused)
    assert isinstance(refused, CommandRefused)
    assert refused.reason.endswith("open: none")
