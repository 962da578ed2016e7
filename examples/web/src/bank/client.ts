// The GraphQL client: the cache, tokens that are renewed in time, and documents by their hashes.

import { authExchange } from "@urql/exchange-auth";
import { Client, type CombinedError, fetchExchange, makeOperation, mapExchange, type Operation, type OperationResult, subscriptionExchange } from "urql";
import { cache } from "./cache";
import { metaOf } from "./documents";
import { follow } from "./feed";
import { ENDPOINT, fetchInTime, reloadIfOutdated, SENDS_TEXT } from "./post";
import { isExpiring, renew, session } from "./session";

const ANSWERED = "answered";

/** What the bank answered to a mutation, as it is and not as the cache knows it. */
export const answered = <Data>({ data, extensions }: OperationResult<Data>): Data | null | undefined =>
  (extensions?.[ANSWERED] as Data | null | undefined) ?? data;

const codes = (error: CombinedError | undefined): unknown[] =>
  (error?.graphQLErrors ?? []).map(({ extensions }) => extensions.code);

/** Keep the hash of a document beside it, for the cache sends another one: with `__typename` everywhere, as in the manifest. */
const noted = mapExchange({
  onOperation: (operation) =>
    operation.kind === "teardown" ? operation : makeOperation(operation.kind, operation, { ...operation.context, sha256Hash: metaOf(operation.query)?.hash }),
});

/** Name documents by their hashes. */
const named = mapExchange({
  onOperation(operation: Operation) {
    const { sha256Hash } = operation.context;
    if (operation.kind === "teardown" || SENDS_TEXT || !sha256Hash) return operation;
    return makeOperation(operation.kind, { ...operation, extensions: { persistedQuery: { version: 1, sha256Hash } } });
  },
  onResult(result) {
    const { data, error, operation } = result;
    reloadIfOutdated(error?.graphQLErrors);
    if (operation.kind !== "mutation") return result;
    // The cache leaves out what it cannot match: all but the name of a rejection of a later version. See `answered`.
    return { ...result, extensions: { ...result.extensions, [ANSWERED]: data } };
  },
});

/** The session of one user: what that user meant to do is never done as somebody who has signed in since. */
const sessionOf = (userId: string) => {
  const present = session();
  return present?.user.id === userId ? present : null;
};

const auth = (userId: string) =>
  authExchange(async ({ appendHeaders }) => ({
    addAuthToOperation(operation) {
      const present = sessionOf(userId);
      return present ? appendHeaders(operation, { authorization: `Bearer ${present.accessToken}` }) : operation;
    },
    willAuthError() {
      const present = sessionOf(userId);
      return present !== null && isExpiring(present);
    },
    didAuthError: (error) => sessionOf(userId) !== null && codes(error).includes("UNAUTHENTICATED"),
    async refreshAuth() {
      const present = sessionOf(userId);
      // Without an answer the operation goes on with the old token, and fails as any other without a network.
      if (present) await renew(present).catch(() => undefined);
    },
  }));

/** The one subscription is the feed. Its events pass the cache, which updates what pages show. */
const feed = subscriptionExchange({
  forwardSubscription: ({ variables }) => ({
    subscribe: (sink) => ({
      unsubscribe: follow((variables?.after as string) ?? null, (event) => sink.next({ data: { transactionFeed: event } })),
    }),
  }),
});

/** A client with an empty cache, for one user. */
export const newClient = (userId: string): Client =>
  new Client({
    url: ENDPOINT,
    fetch: fetchInTime,
    preferGetMethod: false,
    requestPolicy: "cache-and-network",
    exchanges: [noted, cache(), auth(userId), named, fetchExchange, feed],
  });

/** A client without a cache, for lists that grow while one looks at them. */
export const newPlainClient = (userId: string): Client =>
  new Client({ url: ENDPOINT, fetch: fetchInTime, preferGetMethod: false, exchanges: [noted, auth(userId), named, fetchExchange] });
