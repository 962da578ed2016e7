"""GraphQL, and nothing else: what clients see of the rooms below.

From the ground up: `scalars` · `loaders` read rows in batches · `context` a request · `types` · `inputs`, `errors` ·
`queries`, `mutations` · `executor`, `complexity` · `schema` · `endpoint` GraphQL over HTTP.
"""
