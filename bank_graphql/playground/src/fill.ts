// Fills in variables that an operation declares and nobody gave, so that the examples run as they are.

import type { DocumentNode } from "graphql";
import type { Viewer } from "./session";
import { operations } from "./transport";

/** What was seen last in answers: what the next example is most likely about. */
const seen: Record<string, string> = {};

const FILLED: Record<string, (viewer: Viewer | null) => string | undefined> = {
  account: (viewer) => seen.account ?? viewer?.accounts[0],
  other: (viewer) => viewer?.accounts.find((id) => id !== (seen.account ?? viewer.accounts[0])),
  card: (viewer) => seen.card ?? viewer?.cards.at(-1),
  hold: () => seen.hold,
  payment: () => seen.payment,
  key: () => crypto.randomUUID(),
  email: () => `visitor-${crypto.randomUUID().slice(0, 8)}@example.com`,
};

export const FILLED_IN = Object.keys(FILLED).map((name) => `$${name}`);

export function fill(document: DocumentNode | undefined, name: string | undefined, given: unknown, viewer: Viewer | null) {
  const variables: Record<string, unknown> = { ...(given as object) };
  for (const operation of operations(document, name)) {
    for (const { variable } of operation.variableDefinitions ?? []) {
      const value = variable.name.value in variables ? undefined : FILLED[variable.name.value]?.(viewer);
      if (value !== undefined) variables[variable.name.value] = value;
    }
  }
  return variables;
}

/** Remembers the ids of what an answer tells of. */
export function notice(answer: unknown): void {
  if (Array.isArray(answer)) return answer.forEach(notice);
  if (typeof answer !== "object" || answer === null) return;
  const { __typename: type, id, kind, status } = answer as Record<string, string>;
  if (type === "Account" && id) seen.account = id;
  if (type === "Card" && id) seen.card = id;
  if (type === "Transaction" && kind === "HOLD" && status === "PENDING") seen.hold = id;
  if (type === "Transaction" && kind === "CARD_PAYMENT") seen.payment = id;
  Object.values(answer).forEach(notice);
}

export function forget(): void {
  for (const name of Object.keys(seen)) delete seen[name];
}
