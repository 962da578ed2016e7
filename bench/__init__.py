"""Measurements of the bank in comparison with PostGraphile and pgbench. `make bench` runs them, `README.md` explains them.

`data` fills a bank · `sides` starts the servers · `requests` are what they are sent · `load` is the load generator · `feed` measures
subscriptions · `measures` makes the rows of the table · `report` writes it · `costs` compares costs with processor time · `peer` is
PostGraphile, as a package of npm
"""
