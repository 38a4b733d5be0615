"""Prediction's HTTP door: the Open Inference Protocol v2 over the champions in service."""
