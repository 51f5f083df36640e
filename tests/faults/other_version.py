"""Run ``icam`` of another version of the code, in the directory ``ICAM_CODE``; by default a worker.

It first prints the directories of the code that it runs.
"""

from __future__ import annotations

import os
import runpy
import sys

sys.path[0] = os.environ["ICAM_CODE"]

import schemas  # noqa: E402 - from ICAM_CODE, as all that follows
import streams  # noqa: E402

print("code of", *schemas.__path__, *streams.__path__, file=sys.stderr, flush=True)
sys.argv = ["icam", *(sys.argv[1:] or ["worker"])]
runpy.run_module("streams", run_name="__main__")
