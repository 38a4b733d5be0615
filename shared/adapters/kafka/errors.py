"""kafka-python's errors in the words of the ports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kafka import errors as kafka

from shared.runtime.ports import Fenced, Indefinite, LogError, MessageTooLarge, OffsetOutOfRange, Unsettled

Kinds = tuple[type[Exception], ...]

# In this order: the first that fits says what happened and what helps.
_MEANINGS: tuple[tuple[type[LogError], str, Kinds], ...] = (
    (
        Fenced,
        "another incarnation took over, or the coordinator ended the transaction: begin again from what is stored",
        (
            kafka.ProducerFencedError,
            kafka.InvalidProducerEpochError,
            kafka.InvalidProducerIdMappingError,
            kafka.InvalidTxnStateError,
            kafka.CommitFailedError,
            kafka.IllegalGenerationError,
            kafka.UnknownMemberIdError,
            kafka.RebalanceInProgressError,
            kafka.FencedInstanceIdError,
        ),
    ),
    (
        MessageTooLarge,
        "send less at once, or raise the topic's max.message.bytes",
        (kafka.MessageSizeTooLargeError, kafka.RecordListTooLargeError),
    ),
    (OffsetOutOfRange, "retention deleted it, or the topic was created anew", (kafka.OffsetOutOfRangeError,)),
    (Unsettled, "an open transaction may still move it: ask again", (kafka.UnstableOffsetCommitError,)),
    (
        Indefinite,
        "it may or may not have happened: begin again from what is stored",
        (
            kafka.KafkaTimeoutError,
            kafka.RequestTimedOutError,
            kafka.KafkaConnectionError,
            kafka.NetworkExceptionError,
            kafka.NotEnoughReplicasAfterAppendError,
            kafka.Cancelled,
        ),
    ),
)
_LONGEST = 300
"""Characters of a library's error text; some print whole requests."""


def translated(error: BaseException, doing: str) -> LogError:
    """The port's error for one of the library's; ``doing`` says what was tried, and where."""
    cause = _cause(error)
    for meaning, cure, kinds in _MEANINGS:
        if isinstance(cause, kinds):
            return meaning(f"{doing}: {_text(cause)}; {cure}")
    return LogError(f"{doing}: {_text(cause)}")


@contextmanager
def as_log_errors(doing: str) -> Iterator[None]:
    """Raises the port's errors instead of the library's."""
    try:
        yield
    except kafka.KafkaError as error:
        raise translated(error, doing) from error


def _cause(error: BaseException) -> BaseException:
    """A producer in an error state wraps what brought it there."""
    inner = (arg for arg in error.args if isinstance(arg, BaseException))
    return next(inner, error)


def _text(error: BaseException) -> str:
    said = " ".join(str(error).split())[:_LONGEST]
    name = type(error).__name__
    return said if name in said else f"{name} {said}".rstrip()
