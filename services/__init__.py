"""One folder per service; they meet only over topics."""
