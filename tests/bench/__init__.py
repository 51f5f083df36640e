"""``make bench``: the pipeline, a naive Faust agent and a bare loop, side by side in one run."""
