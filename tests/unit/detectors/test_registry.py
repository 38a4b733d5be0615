"""Detectors are found by their files, and wrong names are answered with right ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import services.drift_detection.detectors as package
from services.drift_detection.detectors import DetectorError, detectors, make_detector
from services.drift_detection.detectors.ddm import Ddm
from shared.plugins import discover


def test_each_file_is_found() -> None:
    assert set(detectors()) >= {"adwin", "ddm", "ks", "never", "page-hinkley"}


def test_an_unknown_name_is_answered_with_the_nearest_and_all_known_ones() -> None:
    with pytest.raises(DetectorError, match=r"no detector 'adwim'; the nearest is 'adwin'; known: adwin, ddm, ks"):
        make_detector("adwim")


def test_an_unknown_parameter_is_answered_with_the_nearest() -> None:
    with pytest.raises(DetectorError, match=r"'adwin' has no 'detla'; the nearest is 'delta'; it has: delta, clock"):
        make_detector("adwin", detla=0.1)


@pytest.fixture
def undiscovered() -> Iterator[None]:
    """Forgets what was discovered, before and after."""
    discover.cache_clear()
    yield
    discover.cache_clear()


@pytest.mark.usefixtures("undiscovered")
def test_two_files_with_one_name_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Path(package.__path__[0]) / "never.py"
    (tmp_path / "silent.py").write_text(source.read_text())
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    with pytest.raises(DetectorError, match=r"two detectors are named 'never'.*never and .*silent; rename one"):
        detectors()


def test_importing_the_package_imports_no_detector() -> None:
    code = f"import sys, {package.__name__}; print([n for n in sys.modules if n.startswith('{package.__name__}.')])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == f"['{package.__name__}._base']"


@pytest.mark.parametrize(
    ("name", "parameters", "says"),
    [
        ("adwin", {"delta": 0.0}, r"delta has to be in \(0, 1\); it is 0.0"),
        ("adwin", {"clock": 0}, "clock has to be 1 or more"),
        ("adwin", {"buckets": 1}, "buckets has to be 2 or more"),
        ("adwin", {"minimum_part": 0}, "minimum_part has to be 1 or more"),
        ("adwin", {"grace": -1}, "grace has to be 0 or more"),
        ("ddm", {"warm_up": 0}, "warm_up has to be 1 or more"),
        ("ddm", {"deviations": 0.0}, "deviations has to be above 0"),
        ("page-hinkley", {"delta": -0.1}, "delta has to be 0 or more"),
        ("page-hinkley", {"threshold": 0.0}, "threshold has to be above 0"),
        ("page-hinkley", {"alpha": 1.5}, r"alpha has to be in \(0, 1\]"),
        ("page-hinkley", {"minimum_rows": 0}, "minimum_rows has to be 1 or more"),
        ("page-hinkley", {"mode": "sideways"}, "mode has to be 'up', 'down' or 'both'; it is 'sideways'"),
        ("ks", {"alpha": 1.0}, r"alpha has to be in \(0, 1\)"),
    ],
)
def test_a_parameter_out_of_range_is_refused(name: str, parameters: dict[str, float], says: str) -> None:
    with pytest.raises(DetectorError, match=f"detector '{name}': {says}"):
        make_detector(name, **parameters)


@pytest.mark.parametrize("name", ["adwin", "ddm", "page-hinkley"])
@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_refused(name: str, loss: float) -> None:
    detector = make_detector(name)
    assert detector.watches == "loss"
    with pytest.raises(DetectorError, match="a loss has to be"):
        detector.update(detector.start(), loss)


def test_ddm_refuses_losses_outside_the_unit_interval() -> None:
    detector = Ddm()
    with pytest.raises(DetectorError, match=r"a loss has to be in \[0, 1\]; it is 1.5"):
        detector.update(detector.start(), 1.5)
