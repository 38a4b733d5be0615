"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# A time limit per example fails on a busy machine and says nothing about the code.
settings.register_profile("driftloop", deadline=None)
settings.load_profile("driftloop")
