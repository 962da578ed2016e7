"""HTTP and WebSocket.

- `server`: the server process, uvicorn with the bank's protocols.
- `http_protocol`, `socket_protocol`: how uvicorn speaks HTTP and WebSocket here.
- `middleware`: what every request passes through.
- `authentication`: bearer tokens.
- `endpoint`: GraphQL over HTTP, and event streams.
- `sockets`: GraphQL over WebSocket.
- `schema`: the published schema, and the version.
- `keys`: the public keys of access tokens.
- `health`: liveness and readiness.
- `playground`: the landing page and GraphiQL.
"""
