"""Lanes are put together again the same way, however they interleave."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from services.drift_detection.assembly import Assembly, Slice, add
from services.drift_detection.inputs_watch import profile_slice
from services.validation.epochs import slices
from shared.domain.pipeline import DriftPolicy, InputDriftPolicy
from shared.domain.profile import Profile
from tests.unit.prediction.bench import pipeline

Counts = tuple[int, ...]


def merge(left: Counts, right: Counts) -> Counts:
    return tuple(a + b for a, b in zip(left, right, strict=True))


def lane_slices(lane: int, values: list[list[int]], cut: int) -> list[Slice[Counts]]:
    """Epoch by epoch, each lane's share of it in one or two pieces."""
    pieces, first = [], 0
    for number, share in enumerate(values):
        ends = sorted({min(cut, len(share)), len(share)} - {0})
        for start, end in zip([0, *ends], ends, strict=False):
            part = tuple(share[start:end].count(v) for v in range(3))
            pieces.append(Slice(lane, number, first + start, first + end, end == len(share), part))
        first += len(share)
    return pieces


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from([1, 2, 4, 16]))
def test_any_interleaving_of_lanes_closes_the_same_epochs_in_order(data: st.DataObject, lanes: int) -> None:
    epochs, share = 4, 16 // lanes
    values = data.draw(st.lists(st.integers(0, 2), min_size=16 * epochs, max_size=16 * epochs))
    rows = [values[16 * e : 16 * (e + 1)] for e in range(epochs)]
    want = tuple(tuple(row.count(v) for v in range(3)) for row in rows)
    queues = [
        lane_slices(lane, [row[lane * share : (lane + 1) * share] for row in rows], data.draw(st.integers(1, share)))
        for lane in range(lanes)
    ]
    order = data.draw(st.permutations([lane for lane, queue in enumerate(queues) for _ in queue]))
    waiting = [iter(queue) for queue in queues]
    assembly: Assembly[Counts] = Assembly()
    closed: tuple[Counts, ...] = ()
    for lane in order:
        piece = next(waiting[lane])
        assembly, more = add(assembly, piece, lanes, merge)
        closed += more
        assert add(assembly, piece, lanes, merge) == (assembly, ())
    assert closed == want
    assert assembly.open == ()


def test_a_lane_that_has_moved_on_does_not_hold_up_an_epoch_that_began_without_it() -> None:
    """A new generation begins within lane 0's epoch 5, when lane 1 is in epoch 6 already."""
    one: Counts = (1,)
    assembly: Assembly[Counts] = Assembly((55, 60), (5, 6), ())
    assembly, closed = add(assembly, Slice(0, 5, 55, 60, True, one), 2, merge)
    assert closed == (one,)


def test_a_lane_that_is_behind_does() -> None:
    one: Counts = (1,)
    two: Counts = (2,)
    assembly: Assembly[Counts] = Assembly((55, 50), (5, 5))
    assembly, closed = add(assembly, Slice(0, 5, 55, 60, True, one), 2, merge)
    assert closed == ()
    assembly, closed = add(assembly, Slice(1, 6, 60, 65, False, two), 2, merge)
    assert closed == (one,)


@given(st.integers(10, 200), st.integers(1, 16), st.integers(1, 40))
def test_every_epoch_ends_whole_whatever_its_size_and_the_number_of_lanes(epoch: int, lanes: int, step: int) -> None:
    """Validation cuts lanes into epochs and drift detection puts them together: both must mean the same bounds."""
    lane = pipeline(lanes=lanes, drift=DriftPolicy(inputs=InputDriftPolicy(epoch=epoch)))
    for start in range(0, 3 * epoch, step):
        for part in slices(start, start + step, epoch, lanes):
            profile = Profile(1, 0, part.epoch, part.first, part.last, 0, 0, (), ())
            (after,) = slices(part.last, part.last + 1, epoch, lanes)
            assert profile_slice(profile, lane).whole == (after.epoch > part.epoch)
