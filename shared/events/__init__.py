"""What services say to each other, one module per producing service. Importing this fills `CATALOGUE`."""

from shared.events import commands, deployment, drift_detection, prediction, training, validation

__all__ = ["commands", "deployment", "drift_detection", "prediction", "training", "validation"]
