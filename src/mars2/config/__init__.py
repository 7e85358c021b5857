"""Every option, declared once, with its default, its bounds and its meaning; `config.load` reads YAML."""
