"""Drift detectors as plug-ins: one file each. Nothing is imported or built before somebody asks for a detector."""

from services.drift_detection.detectors._base import (
    Counts,
    Detector,
    DetectorError,
    InputDetector,
    LossDetector,
    detectors,
    finite,
    make_detector,
    require,
)

__all__ = [
    "Counts",
    "Detector",
    "DetectorError",
    "InputDetector",
    "LossDetector",
    "detectors",
    "finite",
    "make_detector",
    "require",
]
