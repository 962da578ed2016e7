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
      const name = variable.name.value;
      if (name in variables || !(name in FILLED)) continue;
      const value = FILLED[name](viewer);
      if (value === undefined) throw new Error(`There is no $${name} yet: ${viewer ? MISSING[name] : "sign in, on top of the page"}.`);
      variables[name] = value;
    }
  }
  return variables;
}

const MISSING: Record<string, string> = {
  account: "open an account first",
  other: "open another account first",
  card: "get a card first, see IssueCard",
  hold: "place a hold or ask a card first, see Hold and Authorize",
  payment: "capture a hold of a card first, see Capture",
};

/** Remembers the ids of what an answer tells of. */
export function notice(answer: unknown): void {
  if (Array.isArray(answer)) return answer.length === 1 ? notice(answer[0]) : undefined; // of many, none is meant
  if (typeof answer !== "object" || answer === null) return;
  const { id, kind, status } = answer as Record<string, string>;
  const type = typeOf(id);
  if (type === "Account") seen.account = id;
  if (type === "Card") seen.card = id;
  if (type === "Transaction" && kind === "HOLD" && status === "PENDING") seen.hold = id;
  if (type === "Transaction" && kind === "CARD_PAYMENT") seen.payment = id;
  Object.values(answer).forEach(notice);
}

/** Ids are opaque to programs; this page looks into them only to know what an example may go on with. */
function typeOf(id: unknown): string {
  try {
    return typeof id === "string" ? atob(id).split(":")[0] : "";
  } catch {
    return "";
  }
}

export function forget(): void {
  for (const name of Object.keys(seen)) delete seen[name];
}
