// Follow the feed: every change on the viewer's accounts, each once, whatever happens to the connection.
//
// The cursor of the last event is where to go on. A broken connection, a laptop that slept, or an expired token only mean: connect
// again, after that cursor. If the bank no longer keeps events of that age (CURSOR_EXPIRED), there is a gap: read everything anew.

import { type Client as Sockets, createClient, type ExecutionResult } from "graphql-ws";
import type { FeedSubscription } from "../gql/graphql";
import { graphql } from "../gql";
import { ENDPOINT, named, post, Refused, reloadIfOutdated } from "./post";
import { renew, session } from "./session";

export type FeedEvent = FeedSubscription["transactionFeed"];
export type FeedState = "connecting" | "live" | "offline";

export const FEED = graphql(`
  subscription Feed($after: String) {
    transactionFeed(after: $after) {
      cursor
      kind
      occurredAt
      account { id name currency balance { booked { amount currency } held { amount currency } available { amount currency } } }
      transaction { id kind status amount { amount currency } from { name } to { name } reversedBy { id } }
    }
  }
`);

const CURSOR = graphql(`
  query FeedCursor { feedCursor }
`);

const PING_MILLISECONDS = 10_000;
const PONG_MILLISECONDS = 5_000;
/** A connection that lasted this long was a good one. */
const STEADY_MILLISECONDS = 60_000;
const [FIRST_WAIT, LONGEST_WAIT] = [250, 15_000];

let state: FeedState = "connecting";
const stateListeners = new Set<() => void>();
const gapListeners = new Set<() => void>();

function onState(next: FeedState): void {
  state = next;
  stateListeners.forEach((listener) => listener());
}

const listen = (listeners: Set<() => void>) => (listener: () => void) => {
  listeners.add(listener);
  return () => void listeners.delete(listener);
};

export const feedState = (): FeedState => state;
export const onFeedState = listen(stateListeners);
/** Call a listener when events were missed: whatever is shown may be out of date. */
export const onGap = listen(gapListeners);

/**
 * Follow the feed until the returned function is called.
 * `cursor` is where to begin. It was read before the accounts were, so that nothing is missed between.
 */
export function follow(cursor: string | null, onEvent: (event: FeedEvent) => void): () => void {
  let isStopped = false;
  let failures = 0;
  let wake = () => {};
  const sockets = connect();

  // A connection may have died while the machine slept, without a word. Whoever comes back finds out at once.
  const onReturn = () => {
    if (document.visibilityState === "hidden") return;
    failures = 0;
    sockets.check();
    wake();
  };
  document.addEventListener("visibilitychange", onReturn);
  window.addEventListener("online", onReturn);
  window.addEventListener("offline", sockets.drop);

  async function once(): Promise<void> {
    const present = session();
    if (!present) return;
    if (cursor === null) {
      cursor = (await post(CURSOR, {}, present.accessToken)).feedCursor ?? null;
      gapListeners.forEach((listener) => listener());
    }
    // The protocol requires a text; the bank goes by the hash if there is one.
    const request = { query: "", ...named(FEED), variables: { after: cursor } };
    for await (const { data, errors } of sockets.client.iterate(request) as AsyncIterable<ExecutionResult<FeedSubscription>>) {
      reloadIfOutdated(errors);
      if (errors?.[0]) throw new Refused(String(errors[0].extensions?.code), errors[0].message);
      if (!data) continue;
      failures = 0;
      cursor = data.transactionFeed.cursor;
      onEvent(data.transactionFeed);
    }
  }

  async function loop(): Promise<void> {
    while (!isStopped) {
      onState("connecting");
      const before = session();
      const started = Date.now();
      try {
        await once();
      } catch (error) {
        // What the bank refuses to subscribe to comes as a list of errors, and not as an answer.
        if (Array.isArray(error)) reloadIfOutdated(error);
        const code = error instanceof Refused ? error.code : closeCode(error);
        if (code === "CURSOR_EXPIRED") cursor = null;
        if (before && (code === "UNAUTHENTICATED" || code === 4403)) await renew(before).catch(() => undefined);
      }
      if (isStopped) return;
      if (Date.now() - started > STEADY_MILLISECONDS) failures = 0;
      onState(navigator.onLine ? "connecting" : "offline");
      // At random between half and all of it, so that clients do not come back all at once.
      const longest = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures++);
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, longest * (0.5 + Math.random() / 2));
      });
    }
  }

  function connect(): { client: Sockets; check: () => void; drop: () => void } {
    let socket: WebSocket | null = null;
    let pong: ReturnType<typeof setTimeout> | undefined;
    const drop = () => {
      clearTimeout(pong);
      client.terminate();
    };
    const expectPong = () => {
      clearTimeout(pong);
      pong = setTimeout(drop, PONG_MILLISECONDS);
    };
    const client = createClient({
      url: ENDPOINT.replace(/^http/, "ws"),
      connectionParams: () => ({ authorization: `Bearer ${session()?.accessToken}` }),
      retryAttempts: 0, // with the same variables; here the cursor changes
      keepAlive: PING_MILLISECONDS,
      on: {
        connected: (opened) => {
          socket = opened as WebSocket;
          onState("live");
        },
        ping: (received) => !received && expectPong(),
        pong: (received) => received && clearTimeout(pong),
        closed: () => {
          socket = null;
          clearTimeout(pong);
        },
      },
    });
    const check = () => {
      if (socket?.readyState !== WebSocket.OPEN) return;
      socket.send(JSON.stringify({ type: "ping" }));
      expectPong();
    };
    return { client, check, drop };
  }

  void loop();
  return () => {
    isStopped = true;
    wake();
    document.removeEventListener("visibilitychange", onReturn);
    window.removeEventListener("online", onReturn);
    window.removeEventListener("offline", sockets.drop);
    void sockets.client.dispose();
  };
}

/** The code with which a socket was closed, if that is what an error says. */
const closeCode = (error: unknown): number | undefined =>
  typeof error === "object" && error !== null && "code" in error ? Number(error.code) : undefined;
