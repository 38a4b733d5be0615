"""What several services use: the domain's words, the events, the runtime and its adapters."""
