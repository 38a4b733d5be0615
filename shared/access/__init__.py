"""What stands at every HTTP door: who may enter, how much may come in, how a refusal is written, what is noted."""
