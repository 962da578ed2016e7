"""Tools for AI agents: those of the Model Context Protocol, each of which sends one fixed document to a running bank.

`documents` the documents · `client` sends them · `server` the tools · `serving` serves them. It is a client of the API like any
other: it knows no database, and may do no more than the access grant whose token it sends.
"""
