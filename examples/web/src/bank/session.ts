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

export type Session = { accessToken: string; refreshToken: string; expiresAt: string; user: { id: string } };

const KEY = "bank.session";
/** Renew this long before a token expires, for clocks differ. */
const EARLY_MILLISECONDS = 30_000;

const REFRESH = graphql(`
  mutation RefreshSession($refreshToken: String!) {
    refreshSession(refreshToken: $refreshToken) {
      ... on AuthSession { accessToken refreshToken expiresAt user { id } }
      ... on Rejection { message }
    }
  }
`);

const listeners = new Set<() => void>();
let cached: { text: string | null; session: Session | null } = { text: null, session: null };

/** The session that all tabs share; null if nobody is signed in. */
export function session(): Session | null {
  const text = localStorage.getItem(KEY);
  if (text !== cached.text) cached = { text, session: text ? (JSON.parse(text) as Session) : null };
  return cached.session;
}

/** Sign in with this session, or sign out with null: in all tabs. */
export function setSession(next: Session | null): void {
  if (next) localStorage.setItem(KEY, JSON.stringify(next));
  else localStorage.removeItem(KEY);
  listeners.forEach((listener) => listener());
}

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

export const isExpiring = ({ expiresAt }: Session): boolean => Date.parse(expiresAt) - Date.now() < EARLY_MILLISECONDS;

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
