// One request to the bank, outside the cache: for signing in and for renewing tokens.

import type { TypedDocumentNode } from "urql";
import { metaOf } from "./documents";

/** The API's address: beside this page's folder, wherever a proxy puts it. */
export const ENDPOINT = new URL("../graphql", new URL(".", location.href)).href;

/** Whether documents are sent as text. The bank trusts those of a build by their hashes, and knows none of a work in progress. */
export const SENDS_TEXT = import.meta.env.DEV;

const TIMEOUT_MILLISECONDS = 30_000;

/** `fetch` that gives up some day: an answer that never comes is a lost one. */
export const fetchInTime: typeof fetch = (input, init = {}) => {
  const signals = [AbortSignal.timeout(TIMEOUT_MILLISECONDS), init.signal].filter((signal) => signal instanceof AbortSignal);
  return fetch(input, { ...init, signal: AbortSignal.any(signals) });
};

/** How a request names a document. */
export const named = (document: object): { query: string } | { extensions: Record<string, unknown> } => {
  const { hash = "", text = "" } = metaOf(document) ?? {};
  return SENDS_TEXT ? { query: text } : { extensions: { persistedQuery: { version: 1, sha256Hash: hash } } };
};

const UNKNOWN_DOCUMENT = "There is no trusted document with this id.";
const RELOADED = "bank.reloaded";
const RELOAD_AGAIN_MILLISECONDS = 60_000;

/** Load the page anew, but not again and again. */
export function reloadOnce(): void {
  try {
    if (Date.now() - Number(sessionStorage.getItem(RELOADED)) < RELOAD_AGAIN_MILLISECONDS) return;
    sessionStorage.setItem(RELOADED, String(Date.now()));
  } catch {
    return;
  }
  location.reload();
}

/** If the bank was upgraded, this page is of the version before, and its documents are not known any more. */
export function reloadIfOutdated(errors: readonly { message: string }[] | undefined): void {
  if (errors?.some(({ message }) => message === UNKNOWN_DOCUMENT)) reloadOnce();
}

/** No answer, or one that does not say whether the request was executed. Repeat it: for payments, with the same key. */
export class Unanswered extends Error {
  constructor(readonly retryAfter = 0) {
    super("The bank does not answer.");
  }
}

const LONGEST_RETRY_SECONDS = 300;

export type ApiError = { message: string; extensions?: Record<string, unknown> };

/** An answer that says that the request was not executed, and never will be as it is. */
export class Refused extends Error {
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

/** Errors of the API that say that a request was not executed. */
const NOT_EXECUTED = new Set([
  "UNAUTHENTICATED", "FORBIDDEN", "BAD_REQUEST", "CURSOR_EXPIRED", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "TOO_COMPLEX",
]); // prettier-ignore

/** What an error of the API means for the request. UNAVAILABLE, INTERNAL and codes of a later version leave it open. */
export function meaning({ message, extensions }: ApiError): Unanswered | Refused {
  const code = String(extensions?.code);
  if (NOT_EXECUTED.has(code)) return new Refused(code, message);
  const retryAfter = Number(extensions?.retryAfter ?? 0);
  return new Unanswered(Number.isFinite(retryAfter) ? Math.min(Math.max(retryAfter, 0), LONGEST_RETRY_SECONDS) : 0);
}

/** Send an operation, and return its data. Throws `Unanswered` or `Refused`. */
export async function post<Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables, token?: string): Promise<Data> {
  let answer: { data?: Data | null; errors?: ApiError[] };
  try {
    const response = await fetchInTime(ENDPOINT, {
      method: "POST",
      headers: {
        accept: "application/graphql-response+json",
        "content-type": "application/json",
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ ...named(document), variables }),
    });
    answer = await response.json();
  } catch {
    throw new Unanswered(); // no network, or what answers is not the bank
  }
  reloadIfOutdated(answer.errors);
  const [error] = answer.errors ?? [];
  if (error) throw meaning(error);
  if (!answer.data) throw new Unanswered();
  return answer.data;
}
