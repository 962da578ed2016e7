"""The bank under fire: real server processes and a real PostgreSQL, killed again and again under a random workload.

`workload` asks for things and keeps asking until it is answered · `history` holds what was answered against what is in the
books · `variants` broken banks that must be caught · `harness` puts them together · `python -m tests.faults` runs it.
"""
