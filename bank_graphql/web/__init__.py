"""Plain HTTP.

`health` · `keys` the public keys · `authentication` bearer tokens · `playground` pages · `schema` published · `middleware`.
"""
