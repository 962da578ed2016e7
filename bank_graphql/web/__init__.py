"""HTTP and WebSocket: the transports of GraphQL, and plain pages.

`endpoint` GraphQL over HTTP · `event_streams` over server-sent events · `sockets` over WebSocket · `operations` the gate that
admits and executes operations for all three · `authentication` bearer tokens · `middleware` request ids, headers, logs ·
`http_protocol` and `socket_protocol` uvicorn's protocols with limits · `server` the server process · `health` · `keys` the public
keys · `schema` the published schema · `playground` the pages.
"""
