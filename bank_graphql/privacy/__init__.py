"""What users may demand of the bank about data on themselves.

- `queries`: everything that the bank holds about a user, section by section.
- `documents`: the same as one JSON document.
- `service`: requests for it.
"""
