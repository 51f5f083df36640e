"""``python -m streams`` is ``icam``."""

from streams.cli import main

main(prog_name="icam")
