"""Sources of the Grafana boards, which are generated as JSON by ``__main__``."""
