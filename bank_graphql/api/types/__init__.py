"""The object types. Their objects are rows: a type declares what clients see of a row, and which other rows it leads to.

`node` the Node interface and connections · `enums` · `money` · `users` · `accounts` · `transactions`.
"""
