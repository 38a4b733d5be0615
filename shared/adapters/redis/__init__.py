"""Redis, behind the ports of `shared.access.stores`: two caches, and a client that is quick to do without them."""
