"""A model card per promoted version, written into a run's folder as the ledger grows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from services.cli.history import History
from services.deployment.card import model_card
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import decode_pipeline
from shared.events.base import Event
from shared.events.deployment import CandidatePromoted, PromotionRolledBack, PromotionVerified
from shared.events.training import EvaluationCompleted

CARDS = "cards"
VERDICTS = (CandidatePromoted, PromotionVerified, PromotionRolledBack)


class CardFile:
    """Give it every new ledger event; the cards in ``folder``/cards follow with each verdict, and when told to."""

    def __init__(self, folder: Path, pipeline: Pipeline) -> None:
        self._folder = folder / CARDS
        self._pipeline = pipeline
        self._ledger: list[Event] = []
        self._promoted: set[str] = set()
        self._behind: set[str] = set()

    def add(self, fresh: Iterable[Event]) -> None:
        """A card costs a look at the whole ledger: evaluations, which come by the dozen, wait for their verdict."""
        events = list(fresh)
        self._ledger += events
        self._promoted |= {event.version for event in events if isinstance(event, CandidatePromoted)}
        self._behind |= self._promoted & {version for event in events for version in _versions(event)}
        if any(isinstance(event, VERDICTS) for event in events):
            self.write()

    def write(self) -> None:
        """Every card that is behind the ledger."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for version in self._behind:
            card = model_card(version, self._ledger, self._pipeline)
            (self._folder / f"{version}.md").write_text(card, "utf-8")
        self._behind.clear()


def _versions(event: Event) -> tuple[str, ...]:
    """Those whose card the event changes: later labels compare a version with others, confirm it, or undo it."""
    if isinstance(event, EvaluationCompleted):
        return (event.champion, *event.pairs)
    return (event.version,) if isinstance(event, VERDICTS) else ()


def card_of(past: History, prefix: str) -> str:
    """The card of one version, with the pipeline file that it was trained under.

    UserError if no version, or more than one, begins so, and where no blobs can be reached.
    """
    version = past.trained(prefix)
    _, job = past.story(version)
    pipeline = decode_pipeline(past.open_blobs().get(job.requested.file))
    return model_card(version.version, past.events, pipeline)
