"""The programs that are measured, one idea a file, each run as a process of its own.

They are started by ``tests.bench.roster`` and told everything by the environment.
"""
