"""The bank's GraphQL schema, and nothing else: what clients see of the rooms below.

From the ground up: `scalars`, `loaders` (rows read in batches), `streams`, `context` (a request), `types`, `inputs` and `errors`,
`results`, then `queries`, `mutations` and `subscriptions`, and `schema`. `engine` executes it, and `web` has the transports.
"""
