"""The bank's measurements against the best of its kind; `make bench` runs them, `README.md` says how to read them.

`data` fills a bank · `sides` the servers that are measured · `load` the load generator · `measures` what is measured ·
`report` the table · `peer` PostGraphile, as a package of npm
"""
