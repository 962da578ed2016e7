"""The examples of the documentation, executed: each answer in `docs/` is one that the bank gave.

`python -m tests.docs` writes the answers anew; `test_examples.py` compares. `reference.py` makes the reference of the schema.
"""
