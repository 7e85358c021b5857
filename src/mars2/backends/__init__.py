"""How policies generate: transformers in this process, vLLM, OpenAI-compatible endpoints, or scripted answers."""
