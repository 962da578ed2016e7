"""Executing GraphQL on a Strawberry schema. The engine knows graphql-core, Strawberry and `bank_graphql.kit`, and no bank.

- `executor` parses, validates and executes operations. `documents` keeps them, and `complexity` computes what they cost.
- `plan` turns an operation into steps over lists of objects, with `arguments`, `variables`, `conversion`, `columns` and `rows`.
- `execution` runs a plan breadth first: each field of a selection is resolved for all objects at once. Where this is not
  possible, the engine falls back to the reference executor of graphql-core. `fallbacks` has the reasons.
- `fields` declares fields for both. `context` is what the engine needs of a request, and `errors` formats errors for answers.
"""
