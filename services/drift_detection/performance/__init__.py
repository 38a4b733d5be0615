"""Drift of the loss: is the version in service worse than it was when new?"""
