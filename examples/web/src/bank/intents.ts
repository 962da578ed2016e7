// What must happen once, and only once: payments, and whatever else has an idempotency key.
//
// An intent is stored with its key before it is sent, and forgotten when the bank has answered. So it outlives a lost answer, a
// reload and a closed laptop: it is sent again with the same key until the bank says what came of it. What is not an answer
// (no network, UNAVAILABLE, RATE_LIMITED) is not a refusal: the money may have moved.

import type { Client, TypedDocumentNode } from "urql";
import { graphql } from "../gql";
import type {
  IssueCardInput, OpenAccountInput, ReverseTransactionInput, ScheduleTransferInput, TransferInput, DepositInput,
} from "../gql/graphql"; // prettier-ignore
import { exclusively } from "./locks";
import { type AnswerOf, perform, type Prove } from "./perform";
import { Refused, Unanswered } from "./post";
import { forget, keep, load, names } from "./storage";

// Documents spread it by its name.
graphql(`
  fragment Moved on MoneyMoved {
    replayed
    transaction {
      id kind status reference createdAt settlesOn description
      amount { amount currency } from { name accountNumber } to { name accountNumber }
      fee { id amount { amount currency } }
    }
  }
`);

const DOCUMENTS = {
  transfer: graphql(`
    mutation Transfer($input: TransferInput!) { transfer(input: $input) { ...Moved ...Rejection } }
  `),
  deposit: graphql(`
    mutation Deposit($input: DepositInput!) { deposit(input: $input) { ...Moved ...Rejection } }
  `),
  reverse: graphql(`
    mutation Reverse($input: ReverseTransactionInput!) { reverseTransaction(input: $input) { ...Moved ...Rejection } }
  `),
  openAccount: graphql(`
    mutation OpenAccount($input: OpenAccountInput!) {
      openAccount(input: $input) { ... on Account { id name } ...Rejection }
    }
  `),
  issueCard: graphql(`
    mutation IssueCard($input: IssueCardInput!) { issueCard(input: $input) { ... on Card { id last4 } ...Rejection } }
  `),
  scheduleTransfer: graphql(`
    mutation ScheduleTransfer($input: ScheduleTransferInput!) {
      scheduleTransfer(input: $input) { ... on ScheduledTransfer { id nextRunOn } ...Rejection }
    }
  `),
};

type Inputs = {
  transfer: TransferInput;
  deposit: DepositInput;
  reverse: ReverseTransactionInput;
  openAccount: OpenAccountInput;
  issueCard: IssueCardInput;
  scheduleTransfer: ScheduleTransferInput;
};
export type Kind = keyof Inputs;
type DataOf<Document> = Document extends TypedDocumentNode<infer Data, any> ? Data : never;
export type Answer<K extends Kind> = AnswerOf<DataOf<(typeof DOCUMENTS)[K]>>;
/** What the user means to do, without its key. */
export type Input<K extends Kind> = Omit<Inputs[K], "idempotencyKey">;
export type Intent<K extends Kind = Kind> = { key: string; kind: K; userId: string; input: Input<K>; createdAt: string; wasSent: boolean };

const PREFIX = "bank.intent.";
/** The bank knows keys for BANK_KEY_DAYS, 90 if not set. Later it would take one for new. */
const MAX_AGE_MILLISECONDS = 30 * 24 * 3600 * 1000;
const OLD_MILLISECONDS = 3600 * 1000;
const [FIRST_WAIT, LONGEST_WAIT] = [500, 15_000];

/** Store what is to be sent, under a new key. Throws `NotStored` if that is not possible: then nothing is to be sent, either. */
export function store<K extends Kind>(kind: K, userId: string, input: Input<K>): Intent<K> {
  const intent = { key: newKey(), kind, userId, input, createdAt: new Date().toISOString(), wasSent: false };
  keep(PREFIX + intent.key, intent);
  return intent;
}

/** Forget an intent, which is then not sent again. */
export const discard = (key: string): void => forget(PREFIX + key);

/** Whether it was left behind so long ago that its user may not want it any more. */
export const isOld = ({ createdAt }: Intent): boolean => Date.now() - Date.parse(createdAt) > OLD_MILLISECONDS;

/** What a user has sent, or meant to, and the bank has not answered yet; oldest first. What is too old is forgotten. */
export function unanswered(userId: string): Intent[] {
  const found = names(PREFIX).flatMap((name) => {
    const intent = load<Intent>(name);
    const isGood = intent !== null && PREFIX + intent.key === name && Object.hasOwn(DOCUMENTS, intent.kind);
    if (isGood && Date.now() - Date.parse(intent.createdAt) < MAX_AGE_MILLISECONDS) return [intent];
    forget(name);
    return [];
  });
  return found.filter((intent) => intent.userId === userId).sort((a, b) => a.createdAt.localeCompare(b.createdAt));
}

type Options = { signal: AbortSignal; onUnanswered: () => void };

/**
 * Send an intent until the bank has answered, and return the answer; null if another tab did so meanwhile.
 * Throws an error if the bank will not execute it as it is, and the signal's reason if it is given up; it is then still stored.
 */
export const send = <K extends Kind>(client: Client, prove: Prove, intent: Intent<K>, options: Options): Promise<Answer<K> | null> =>
  exclusively(PREFIX + intent.key, () => sendUntilAnswered(client, prove, intent, options));

async function sendUntilAnswered<K extends Kind>(client: Client, prove: Prove, intent: Intent<K>, { signal, onUnanswered }: Options): Promise<Answer<K> | null> {
  const name = PREFIX + intent.key;
  const input = { ...intent.input, idempotencyKey: intent.key };
  const document = DOCUMENTS[intent.kind] as TypedDocumentNode<DataOf<(typeof DOCUMENTS)[K]>, { input: typeof input }>;
  for (let failures = 0; ; failures++) {
    signal.throwIfAborted();
    const stored = load<Intent<K>>(name);
    if (stored === null) return null;
    const isFirst = !stored.wasSent;
    if (isFirst) noteSent(name, stored);
    try {
      const answer = await perform(client, prove, document, { input });
      forget(name);
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      // An error that says that a request was not executed says nothing about the one before, whose answer was lost.
      const isOpen = error instanceof Unanswered || !isFirst || (error instanceof Refused && error.code === "UNAUTHENTICATED");
      if (!isOpen) {
        forget(name);
        throw error;
      }
      onUnanswered();
      const retryAfter = error instanceof Unanswered ? error.retryAfter * 1000 : 0;
      await wait(Math.max(retryAfter, Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures)), signal);
    }
  }
}

/** Store that an intent is sent. That takes no more room than before; if it fails all the same, nothing was sent, nor will be. */
function noteSent(name: string, intent: Intent): void {
  try {
    keep(name, { ...intent, wasSent: true });
  } catch (error) {
    forget(name);
    throw error;
  }
}

/** Wait, but not longer than until the network is back. */
const wait = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    window.addEventListener("online", done);
    signal.addEventListener("abort", done);
  });

/** A random key. `crypto.randomUUID` is missing on pages without HTTPS. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
