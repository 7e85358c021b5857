"""An OpenAI-compatible chat endpoint that answers with multi-agent tree search."""
