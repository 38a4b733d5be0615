"""Checks of one column each, one module each; the module's ``CHECK`` is found by discovery."""
