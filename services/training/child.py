"""A job's own process: the composition root of `work`, with clients of its own."""

from __future__ import annotations

from functools import partial

from services.training.work import work
from shared.adapters.files import FileBlobs
from shared.adapters.kafka.log import KafkaLog
from shared.operations.assembly import connection_of
from shared.operations.logs import configure
from shared.operations.settings import BlobSettings, KafkaSettings, OperationsSettings
from shared.runtime.blobs import BlobReader
from shared.runtime.core import Run
from shared.runtime.jobs import JobServices

PRELOADED = ("services.training.child", "sklearn.ensemble", "sklearn.pipeline", "skops.io", "scipy.stats")
"""What takes seconds to import: loaded once, in the process that children are forked from."""


def job(run: Run, kafka: KafkaSettings, blobs: BlobSettings, operations: OperationsSettings) -> None:
    """Does one job to its end: the result is in the ledger when this returns."""
    configure("training", operations.log_level)
    store = FileBlobs(blobs.folder)
    log = KafkaLog(connection_of(kafka, "training-job"))
    try:
        work(run, JobServices(log, store, BlobReader(store)))
    finally:
        log.close()


def job_with(kafka: KafkaSettings, blobs: BlobSettings, operations: OperationsSettings) -> partial[None]:
    """The job as a value that can be handed to another process."""
    return partial(job, kafka=kafka, blobs=blobs, operations=operations)
