"""Keeping a process for the next test: only for programs that provably leave nothing behind. It is only for speed."""
