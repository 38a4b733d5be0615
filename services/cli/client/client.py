"""`Client`: what a producer holds in its hand."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Condition, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeGuard

import httpx

from services.cli.client.answers import ClientError, Prediction, Refused, Report, Sent, Undelivered
from services.cli.client.bodies import ARROW_STREAM, Row, body_of, slices, stream_of
from services.cli.client.doors import Document, Doors
from services.cli.client.outbox import Delivery, Outbox
from services.cli.client.policies import Batching, Retrying
from services.cli.client.tensors import tensors_of

if TYPE_CHECKING:
    import pyarrow as pa


class Client:
    """Thread-safe. Rows are sent in batches; leaving the ``with`` block, or `close`, sends what still waits.

    What could not be sent in the background is told by the next call, and kept until then.  ``prediction_url`` is
    needed where the prediction service has an address of its own.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        prediction_url: str | None = None,
        batching: Batching = Batching(),  # noqa: B008 - frozen
        retrying: Retrying = Retrying(),  # noqa: B008 - frozen
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._doors = Doors(url, token, prediction_url=prediction_url, retrying=retrying, transport=transport)
        self._batching = batching
        self._outbox = Outbox(batching, self._post)
        self._datatypes: dict[str, Mapping[str, str]] = {}
        self._changed = Condition()
        self._closed = False
        self._error: ClientError | None = None
        self._thread = Thread(target=self._run, name="driftloop-client", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def send(self, pipeline: str, records: Iterable[Row] | pa.RecordBatch) -> None:
        """Records, each a mapping of column names to values, or a batch of them."""
        self._send((pipeline, "records"), records)

    def labels(self, pipeline: str, labels: Iterable[Row] | pa.RecordBatch) -> None:
        """Labels that come later: the record's id (the contract's column, or ``_id``) and the label's column."""
        self._send((pipeline, "labels"), labels)

    def deliver(self, pipeline: str, records: Sequence[Row] | pa.RecordBatch) -> Report:
        """Records, at once and as one; the report has their ids. Nothing of it is kept if it fails."""
        content = (stream_of(records), ARROW_STREAM) if _is_batch(records) else body_of(records)
        return self._post(Delivery((pipeline, "records"), *content, records))

    def flush(self) -> Sent:
        """Sends what waits; tells what became of everything since the last flush."""
        with self._changed:
            self._raise_late(again=True)
            return self._outbox.flush()

    def close(self) -> None:
        """Sends what waits and ends. Raises what `flush` raises, and can be called again then."""
        atexit.unregister(self.close)  # whoever closes hears of what is left, and need not wait for it again
        with self._changed:
            if self._closed:
                return
            self._raise_late(again=True)
            self._outbox.flush()
            self._closed = True
            self._changed.notify()
        self._thread.join()
        self._doors.close()

    def apply(self, file: Path | str, model: Path | bytes | None = None) -> Document:
        """A pipeline file, as a path or as YAML text, and perhaps the model that it begins with."""
        text = file.read_text("utf-8") if isinstance(file, Path) else file
        content = model.read_bytes() if isinstance(model, Path) else model
        return self._doors.apply(_name(text), text.encode(), content)

    def command(self, pipeline: str, name: str, **fields: str) -> str:
        """pause, resume, retrain, approve (version=…), rollback, clear-fault (fault=…). Returns the command's id."""
        return str(self._doors.command(pipeline, name, **fields)["command"])

    def status(self, pipeline: str | None = None) -> Document:
        """How a pipeline stands, or all of them."""
        return self._doors.standing(pipeline) if pipeline else self._doors.standings()

    def infer(
        self, pipeline: str, columns: Mapping[str, Sequence[Any]] | pa.RecordBatch, *, log: bool = True
    ) -> Prediction:
        """The champion's word on some rows, which go on into the stream unless ``log`` is false."""
        named = columns.to_pydict() if _is_batch(columns) else columns
        try:
            return Prediction.of(self._doors.infer(pipeline, tensors_of(named, self._known(pipeline)), log=log))
        except Refused:
            self._datatypes.pop(pipeline, None)  # the contract may have changed
            raise

    def _send(self, place: tuple[str, str], records: Iterable[Row] | pa.RecordBatch) -> None:
        with self._changed:
            if self._closed:
                raise ClientError("the client is closed: make a new one")
            self._raise_late()
            taken = 0
            try:
                for rows, put in self._parts(place, records):
                    taken += rows
                    put()
            except ClientError as error:
                error.taken = taken
                raise
            self._changed.notify()

    def _parts(
        self, place: tuple[str, str], records: Iterable[Row] | pa.RecordBatch
    ) -> Iterator[tuple[int, Callable[[], None]]]:
        """(rows, what puts them into the outbox): single rows, or slices of a batch."""
        if _is_batch(records):
            for piece in slices(records, self._batching.rows, self._batching.bytes):
                yield piece.num_rows, partial(self._outbox.put, Delivery(place, stream_of(piece), ARROW_STREAM, piece))
        else:
            for row in records:
                yield 1, partial(self._outbox.add, place, row)

    def _post(self, delivery: Delivery) -> Report:
        return Report.of(
            self._doors.deliver(*delivery.place, delivery.content, delivery.content_type, delivery.key),
        )

    def _run(self) -> None:
        """Sends what has waited long enough. After an error nothing more is tried until somebody has heard of it."""
        with self._changed:
            while not self._closed:
                self._changed.wait(self._outbox.next_due() if self._error is None else None)
                if self._error is None and not self._closed:
                    try:
                        self._outbox.flush_old()
                    except ClientError as error:
                        self._error = error

    def _raise_late(self, *, again: bool = False) -> None:
        """``again``: what was not delivered is about to be tried once more, so there is nothing to tell yet."""
        error, self._error = self._error, None
        if error is not None and not (again and isinstance(error, Undelivered)):
            raise error

    def _known(self, pipeline: str) -> Mapping[str, str]:
        """Datatypes of the model's inputs."""
        if pipeline not in self._datatypes:
            inputs = self._doors.metadata(pipeline)["inputs"]
            self._datatypes[pipeline] = {tensor["name"]: tensor["datatype"] for tensor in inputs}
        return self._datatypes[pipeline]


def _is_batch(records: object) -> TypeGuard[pa.RecordBatch]:
    return type(records).__module__.startswith("pyarrow") and hasattr(records, "to_pydict")


def _name(text: str) -> str:
    """The pipeline's name in a file; the door checks everything else."""
    import yaml

    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ClientError(f"the pipeline file is not YAML: {error}") from None
    name = document.get("name") if isinstance(document, dict) else None
    if not isinstance(name, str):
        raise ClientError("the pipeline file has no 'name'; its first line should say one, such as 'name: my-pipeline'")
    return name
