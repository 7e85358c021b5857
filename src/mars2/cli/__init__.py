"""The command line: one file a command. It loads no torch until a command needs it."""
