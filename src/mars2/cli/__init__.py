"""The command line: ``mars2 train | evaluate | solve | report | check``. Loads no torch until a command needs it."""
