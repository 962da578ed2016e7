// A client that GraphQL Code Generator types: opens an account, and reads it back page by page.
import { print } from "graphql";
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { graphql } from "./gql/index.js";

const Open = graphql(`
  mutation Open($input: OpenAccountInput!) {
    openAccount(input: $input) {
      __typename
      ... on Account { id balance { available { amount currency } } }
      ... on ValidationRejection { fields { path code } }
      ... on Rejection { message }
    }
  }
`);
const Entries = graphql(`
  query Entries($id: ID!) {
    account(id: $id) {
      entries(first: 1) { edges { cursor node { direction amount { amount } counterparty { name } } } pageInfo { hasNextPage } }
    }
  }
`);

const [url, token] = process.argv.slice(2);

async function execute<R, V>(document: TypedDocumentNode<R, V>, variables: V): Promise<R> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: print(document), variables }),
  });
  return (await response.json()).data;
}

const { openAccount } = await execute(Open, {
  input: { kind: "CHECKING", currency: "EUR", openingDeposit: "12.30", idempotencyKey: "typed" },
});
if (openAccount.__typename !== "Account") throw new Error(openAccount.__typename);
const { account } = await execute(Entries, { id: openAccount.id });
const amount: string | undefined = account?.entries.edges[0].node.amount.amount;
console.log(JSON.stringify([openAccount.balance.available.amount, amount, account?.entries.pageInfo.hasNextPage]));
