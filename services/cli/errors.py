"""A user's mistakes: told in one line, without a traceback. Everything else is a defect and shows where it happened."""

from __future__ import annotations


class UserError(ValueError):
    """Something that the person at the keyboard can put right; the message says how."""


def is_mistake(error: BaseException) -> bool:
    """Whether the error is of a family that stands for a user's mistake.

    The families are imported here, not above: whoever raised one has imported it already, and ``--help`` needs none.
    """
    return isinstance(error, (UserError, *_families()))


def in_one_line(error: BaseException) -> str:
    """The message without line breaks; of several problems the first, and where the others are told."""
    first, *others = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()] or [repr(error)]
    if not others or not hasattr(error, "problems"):
        return " ".join([first, *others])
    more = f"{len(others)} more problem{'s' if len(others) > 1 else ''}"
    return f"{first} (and {more}: see 'driftloop doctor {getattr(error, 'source', 'FILE')}')"


def _families() -> tuple[type[BaseException], ...]:
    from services.backtest.comparison import NoModelError
    from services.backtest.policies import PolicyError
    from services.cli.client.answers import ClientError
    from services.drift_detection.detectors import DetectorError
    from services.embedded.inference import InferenceError
    from services.ingestion.raw import UnreadableBody
    from services.ingestion.sources import DataError
    from shared.domain.estimators import EstimatorError
    from shared.domain.models import UntrustedModelError
    from shared.domain.pipeline_file import PipelineFileError
    from shared.operations.settings import SettingsError
    from shared.runtime.ports import BlobDamaged, BlobMissing, LogError

    return (
        PipelineFileError, DataError, EstimatorError, PolicyError, DetectorError, InferenceError, UnreadableBody,
        UntrustedModelError, BlobDamaged, BlobMissing, NoModelError, SettingsError, LogError, ClientError,
    )  # fmt: skip
