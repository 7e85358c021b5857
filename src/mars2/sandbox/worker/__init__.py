"""What runs in worker processes: standard library only, so that a worker is a bare interpreter, no copy of the trainer.

A worker loads these modules without importing `mars2` (see `__main__.py`), hence the relative imports.
"""
