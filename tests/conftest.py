"""What holds for every test."""

from __future__ import annotations

import os

from hypothesis import settings

# A time limit per example fails on a busy machine and says nothing about the code. In CI the examples are the same
# ones every time, so that a red build means the change and not the draw; elsewhere new ones are tried on every run.
settings.register_profile("driftloop", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("driftloop")
