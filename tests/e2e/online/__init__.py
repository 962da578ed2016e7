"""The online bank of `examples/web`, in a real browser, against a running bank."""
