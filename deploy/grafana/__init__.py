"""The boards of Grafana, made from short Python and kept as JSON beside it; see ``__main__``."""
