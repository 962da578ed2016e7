// Input of Relay's compiler: fragments, a connection and a refetch by `node`.
import { graphql } from "relay-runtime";

export const holdings = graphql`
  query holdingsQuery($count: Int!) {
    me {
      id
      ...holdings_user @arguments(count: $count)
    }
  }
`;

export const user = graphql`
  fragment holdings_user on User @argumentDefinitions(count: { type: "Int", defaultValue: 10 }, cursor: { type: "String" })
  @refetchable(queryName: "holdingsPaginationQuery") {
    accounts(first: $count, after: $cursor) @connection(key: "holdings_accounts") {
      edges { node { id name balance { booked { amount } } } }
    }
  }
`;
