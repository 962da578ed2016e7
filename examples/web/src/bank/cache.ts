// The normalised cache: each object once, by its type and id, so that a page shows what another one changed.

import { type Cache, type CacheExchangeOpts, cacheExchange, type Entity, type UpdateResolver } from "@urql/exchange-graphcache";

/** Objects with an id are one and the same wherever they are read; all others are parts of the object that has them. */
const keys: CacheExchangeOpts["keys"] = new Proxy({}, { get: () => (data: { id?: string }) => data.id ?? null });

type Updates = Record<string, UpdateResolver>;

/** Have fields of an object read again where they are shown. */
export function outdate(cache: Cache, entity: Entity, ...fields: string[]): void {
  for (const { fieldName, arguments: given } of cache.inspectFields(entity)) {
    if (fields.includes(fieldName)) cache.invalidate(entity, fieldName, given);
  }
}

/** After a mutation of these names has changed something: fields of the query root, or of the viewer, to read again. */
const CHANGES: Record<string, { root?: string[]; viewer?: string[] }> = {
  openAccount: { viewer: ["accounts"] },
  closeAccount: { viewer: ["accounts"] },
  issueCard: { viewer: ["cards"] },
  cancelCard: { viewer: ["cards"] },
  addPayee: { root: ["payees"] },
  removePayee: { root: ["payees"] },
  scheduleTransfer: { root: ["scheduledTransfers"] },
  addPasskey: { viewer: ["passkeys"] },
  removePasskey: { viewer: ["passkeys"] },
  logOut: { viewer: ["sessions"] },
  confirmTotp: { viewer: ["mfaEnabled"] },
  disableTotp: { viewer: ["mfaEnabled"] },
  decide: { root: ["approvals"] },
};

const updates: Updates = Object.fromEntries(
  Object.entries(CHANGES).map(([name, { root = [], viewer = [] }]) => [
    name,
    (_result, _args, cache) => {
      outdate(cache, "Query", ...root);
      const me = cache.resolve("Query", "me");
      if (typeof me === "string") outdate(cache, me, ...viewer);
    },
  ]),
);

export const cache = () =>
  cacheExchange({
    keys,
    updates: { Mutation: updates },
    // Shown at once. If the bank refuses, or does not answer, the cache forgets it again.
    optimistic: {
      freezeCard: ({ id }) => ({ __typename: "Card", id, status: "FROZEN", frozenBy: "OWNER" }),
      unfreezeCard: ({ id }) => ({ __typename: "Card", id, status: "ACTIVE", frozenBy: null }),
      renameAccount: ({ id, name }) => ({ __typename: "Account", id, name }),
      renamePayee: ({ id, name }) => ({ __typename: "Payee", id, name }),
      pauseScheduledTransfer: ({ id }) => ({ __typename: "ScheduledTransfer", id, status: "PAUSED", nextRunOn: null }),
    },
  });
