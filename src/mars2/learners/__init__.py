"""Updates policies from samples. Import the submodules that you need: some of them load no torch."""
