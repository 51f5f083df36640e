"""What every process needs: settings, logs, metrics, the internal HTTP port, shutdown."""
