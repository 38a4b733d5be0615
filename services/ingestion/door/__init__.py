"""Ingestion's HTTP door: records, labels, pipeline files, models and commands in; how things stand out."""
