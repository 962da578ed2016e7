"""The object types. Resolvers are handed rows: a type declares what clients see of a row, and how to get to other rows.

`node` the Node interface and connections · `enums` · `money` · `users` · `accounts` · `transactions`.
"""
