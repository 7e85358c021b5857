"""Where a tree grows next, and which of its programs is the answer. Strategies stand behind `core.protocols.Search`."""
