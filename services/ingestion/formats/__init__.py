"""Formats that deliveries may come in, one module each; the module's ``FORMAT`` is found by discovery."""
