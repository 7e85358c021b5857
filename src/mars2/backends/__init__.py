"""How policies generate tokens: scripted answers, or `transformers` in this process."""
