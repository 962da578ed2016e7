"""Execution of GraphQL operations, breadth first, with the reference executor of graphql-core beside it."""
