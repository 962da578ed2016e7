"""`python -m bank_graphql` is `bank-graphql`."""

from bank_graphql.cli import main

main()
