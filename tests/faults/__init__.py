"""Fault injection: real server processes and a real PostgreSQL are killed again and again under a random workload.

`workload` sends requests, and repeats each until it is answered · `history` compares the answers with the database · `variants`
are banks that are broken on purpose, and that must be detected · `harness` runs all of it · `python -m tests.faults` is its command.
"""
