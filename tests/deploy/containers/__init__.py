"""Start image, compose file and manifests for real on this machine, break them, and audit.

``python -m tests.deploy.containers`` does it with Docker Compose, ``... cluster`` with Kubernetes.
Their base images are stand-ins built from Debian packages, Maven artifacts and Go modules.
"""
