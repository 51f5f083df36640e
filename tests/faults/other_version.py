"""``icam`` of another version of the code, the one below ``ICAM_CODE``; a worker unless told
otherwise. Says first where the code that runs lies.
"""

from __future__ import annotations

import os
import runpy
import sys

sys.path[0] = os.environ["ICAM_CODE"]

import schemas  # noqa: E402 - from there, and so is all that follows
import streams  # noqa: E402

print("code of", *schemas.__path__, *streams.__path__, file=sys.stderr, flush=True)
sys.argv = ["icam", *(sys.argv[1:] or ["worker"])]
runpy.run_module("streams", run_name="__main__")
