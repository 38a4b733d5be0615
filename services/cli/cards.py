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

CARDS = "cards"
TOLD = (CandidatePromoted, PromotionVerified, PromotionRolledBack)
"""What a card is written for, and written again for: later labels confirm a promotion, or undo it."""


class CardFile:
    """Give it every new ledger event; the cards in ``folder``/cards follow."""

    def __init__(self, folder: Path, pipeline: Pipeline) -> None:
        self._folder = folder / CARDS
        self._pipeline = pipeline
        self._ledger: list[Event] = []

    def add(self, fresh: Iterable[Event]) -> None:
        """Cards of the versions that the fresh events promote, verify or undo."""
        events = list(fresh)
        self._ledger += events
        for version in dict.fromkeys(event.version for event in events if isinstance(event, TOLD)):
            self._folder.mkdir(parents=True, exist_ok=True)
            card = model_card(version, self._ledger, self._pipeline)
            (self._folder / f"{version}.md").write_text(card, "utf-8")


def card_of(past: History, prefix: str) -> str:
    """The card of one version, with the pipeline file that it was trained under.

    UserError if no version, or more than one, begins so, and where no blobs can be reached.
    """
    version = past.trained(prefix)
    _, job = past.story(version)
    pipeline = decode_pipeline(past.open_blobs().get(job.requested.file))
    return model_card(version.version, past.events, pipeline)
