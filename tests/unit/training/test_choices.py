"""Which rows to learn from, and whether to learn: decisions from paired counts alone."""

from __future__ import annotations

from services.training.choices import PAST, PRESENT, Lead, choose
from shared.domain.trials import Paired
from shared.events.training import ProbeCompleted, Window

ODDS = 20.0


def probed(past: Paired, present: Paired | None = None, duel: Paired | None = None) -> ProbeCompleted:
    against: dict[str, Paired] = {PAST: past} if present is None else {PAST: past, PRESENT: present}
    return ProbeCompleted(
        pipeline="plant", job="j", token=1, cause="c", against_champion=against, present_against_past=duel, fits=2
    )


def chosen(duel: Paired, before: Window) -> Window:
    even = Paired(40, 10, 10)
    return choose(probed(even, even, duel), "drift", ODDS, Lead(), before).window


def test_the_past_is_forgotten_only_on_evidence_at_the_odds() -> None:
    assert chosen(Paired(40, 5, 3), PAST) == PAST
    assert chosen(Paired(40, 14, 1), PAST) == PRESENT


def test_a_forgotten_past_comes_back_once_it_helps() -> None:
    assert chosen(Paired(40, 3, 5), PRESENT) == PRESENT
    assert chosen(Paired(40, 1, 14), PRESENT) == PAST


def test_a_drift_of_the_loss_is_answered_even_where_a_probe_loses() -> None:
    assert choose(probed(Paired(40, 2, 9)), "drift", ODDS, Lead(), PAST).pays


def test_a_small_lead_pays_once_it_has_lasted() -> None:
    def check(lead: Lead) -> tuple[bool, Lead]:
        choice = choose(probed(Paired(500, 32, 22)), "check", ODDS, lead, PAST)
        return choice.pays, choice.lead

    first, lead = check(Lead())
    second, _ = check(lead)
    assert (first, second) == (False, True)


def test_moved_inputs_are_a_check_brought_forward() -> None:
    probes = probed(Paired(500, 32, 22))
    before = Lead(10.0, 4.0)
    assert choose(probes, "inputs", ODDS, before, PAST) == choose(probes, "check", ODDS, before, PAST)


def test_without_rows_to_compare_nothing_is_trained_and_no_lead_is_lost() -> None:
    before = Lead(8.0, 2.0)
    choice = choose(probed(Paired()), "check", ODDS, before, PAST)
    assert (choice.pays, choice.lead) == (False, before)
