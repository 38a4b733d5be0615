"""Dead letters: looked at, taken out to be repaired, put back under the ids that they had."""
