"""The options of everything, each declared once, with its default, bounds and meaning; YAML is read by `config.load`."""
