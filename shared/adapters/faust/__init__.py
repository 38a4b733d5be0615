"""The host of a core on faust-streaming."""

from shared.adapters.faust.host import FAILED, FaustHost
from shared.adapters.faust.settings import Timing

__all__ = ["FAILED", "FaustHost", "Timing"]
