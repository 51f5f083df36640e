"""What is measured, one scenario a file: each has ``take``, which returns its figures."""
