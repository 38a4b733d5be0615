"""The embedded run under a scheduler that crashes, delays, repeats and interleaves; see `world`."""
