"""Plain HTTP: `health` · `keys` the public keys · `authentication` bearer tokens · `playground` · `middleware`."""
