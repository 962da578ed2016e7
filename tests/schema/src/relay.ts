// A client on Relay's runtime, with the output of its compiler for `holdings.ts`.
import { Environment, fetchQuery, type GraphQLResponse, Network, RecordSource, Store } from "relay-runtime";
import query, { type holdingsQuery } from "./__generated__/holdingsQuery.graphql.js";

const [url, token] = process.argv.slice(2);
const environment = new Environment({
  store: new Store(new RecordSource()),
  network: Network.create(async (request, variables) => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: request.text, variables }),
    });
    return (await response.json()) as GraphQLResponse;
  }),
});

const data = await fetchQuery<holdingsQuery>(environment, query, { count: 5 }).toPromise();
const records = environment.getStore().getSource().toJSON() as Record<string, { __typename?: string; name?: string }>;
const names = Object.values(records).filter((record) => record.__typename === "Account").map((record) => record.name);
console.log(JSON.stringify([typeof data?.me?.id, names]));
