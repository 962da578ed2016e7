// What every page needs: who the viewer is, the bank's time, and how the viewer proves who it is.

import { createContext, useContext } from "react";
import type { Client } from "urql";
import type { Outbox } from "../bank/outbox";
import type { Prove } from "../bank/perform";
import type { ShellQuery } from "../gql/graphql";

export type Viewer = NonNullable<ShellQuery["me"]>;

export type Bank = {
  viewer: Viewer;
  /** The bank's present day, e.g. 2026-11-28. In a sandbox its clock can be ahead of this machine's. */
  today: string;
  /** Whether money can be deposited without cash, to try things out. */
  isSandbox: boolean;
  prove: Prove;
  outbox: Outbox;
  /** For lists: it has no cache. */
  plain: Client;
};

export const BankContext = createContext<Bank | null>(null);

/** Of a page that only shows for somebody who is signed in. */
export function useBank(): Bank {
  const bank = useContext(BankContext);
  if (!bank) throw new Error("Nobody is signed in.");
  return bank;
}
