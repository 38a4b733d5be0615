"""What a process tells about itself while it advances: read, written, changed. Nothing is decided by it."""

from __future__ import annotations

from typing import Protocol

from shared.runtime.core import Append, Message, Unit


class Observer(Protocol):
    """Called after the unit of work is done. It must not raise and must not block."""

    def opened(self) -> None:
        """What was told before may be another's by now; `moved` follows for each state that is held."""

    def seen(self, message: Message) -> None: ...

    def said(self, append: Append) -> None: ...

    def moved(self, unit: Unit, state: object) -> None: ...


class Silent:
    """For hosts that nobody watches."""

    def opened(self) -> None:
        """Nothing is told."""

    def seen(self, message: Message) -> None:
        """Nothing is told."""

    def said(self, append: Append) -> None:
        """Nothing is told."""

    def moved(self, unit: Unit, state: object) -> None:
        """Nothing is told."""
