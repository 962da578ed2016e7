// Who is signed in: tokens that all tabs share, and one renewal of them at a time.
//
// The tokens are in localStorage, so a reload or a second tab stays signed in. Script of others could read them there: the bank's
// Content-Security-Policy lets only this host's files run. A refresh token is good for one use, so tabs that renew at the same
// time would end the session. A Web Lock lets one tab renew; the others find its tokens when the lock is theirs. If the browser has
// not shown a tab what another one stored, which takes it a moment, that tab renews with the same refresh token: the bank knows such
// a repetition, and gives the same answer.

import { graphql } from "../gql";
import { exclusively } from "./locks";
import { post } from "./post";
import { forget, keep, load } from "./storage";

export type Session = { accessToken: string; refreshToken: string; expiresAt: string; user: { id: string }; receivedAt?: number };

const KEY = "bank.session";
/** Renew this long before a token expires. */
const EARLY_MILLISECONDS = 30_000;
/** Tokens live longer than this: one that seems to have expired sooner means that this machine's clock is wrong. */
const MIN_AGE_MILLISECONDS = 60_000;

const REFRESH = graphql(`
  mutation RefreshSession($refreshToken: String!) {
    refreshSession(refreshToken: $refreshToken) {
      ... on AuthSession { accessToken refreshToken expiresAt user { id } }
      ... on Rejection { message }
    }
  }
`);

const listeners = new Set<() => void>();
let known: { text: string; session: Session | null } = { text: "null", session: null };
let isStored = true;

const isSession = (found: Session | null): found is Session =>
  typeof found?.accessToken === "string" && typeof found.refreshToken === "string" && typeof found.user?.id === "string";

/** The session that all tabs share; null if nobody is signed in. Where the browser stores nothing, it is of this tab alone. */
export function session(): Session | null {
  if (!isStored) return known.session;
  const found = load<Session>(KEY);
  const text = JSON.stringify(found);
  if (text !== known.text) known = { text, session: isSession(found) ? found : null };
  return known.session;
}

/** Sign in with this session, or sign out with null: in all tabs. */
export function setSession(next: Session | null): void {
  const session = next && { ...next, receivedAt: Date.now() };
  if (session) isByChoice = false;
  try {
    if (session) keep(KEY, session);
    else forget(KEY);
    isStored = true;
  } catch {
    isStored = false;
  }
  known = { text: JSON.stringify(session), session };
  listeners.forEach((listener) => listener());
}

let isByChoice = false;

/** Sign out, in all tabs. */
export function signOut(): void {
  isByChoice = true;
  setSession(null);
}

/** Whether it was in this tab that the viewer has signed out. */
export const hasSignedOut = (): boolean => isByChoice;

/** Call a listener whenever the session changes, in this tab or another. Returns what stops it. */
export function onSession(listener: () => void): () => void {
  const other = (event: StorageEvent) => (event.key === KEY || event.key === null) && listener();
  listeners.add(listener);
  window.addEventListener("storage", other);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("storage", other);
  };
}

export const isExpiring = ({ expiresAt, receivedAt = 0 }: Session): boolean =>
  Date.parse(expiresAt) - Date.now() < EARLY_MILLISECONDS && Date.now() - receivedAt > MIN_AGE_MILLISECONDS;

/**
 * Renew the tokens in place of `stale`, unless another tab has done so. If the bank refuses, nobody is signed in any more.
 * Throws if the bank does not answer: the session stays as it is.
 */
export async function renew(stale: Session): Promise<Session | null> {
  return exclusively("bank.renew", async () => {
    const present = session();
    if (!present || present.accessToken !== stale.accessToken) return present;
    const { refreshSession } = await post(REFRESH, { refreshToken: present.refreshToken });
    // Somebody may have signed out meanwhile.
    if (session()?.accessToken === stale.accessToken) setSession("accessToken" in refreshSession ? refreshSession : null);
    return session();
  });
}
