// Follows the feed as the documentation's example does, on connections that break again and again; prints each event as a line of JSON.
import { WebSocket } from "ws";

const [example, url, token, after, breaks, last] = process.argv.slice(2);
const plainTimeout = globalThis.setTimeout;
globalThis.setTimeout = ((run: () => void, wait = 0, ...more: unknown[]) =>
  plainTimeout(run, wait > 50 ? wait / 500 : wait, ...more)) as never; // clients wait long between attempts

let left = Number(breaks);
const breakSoon = (cut: () => void) => {
  if (left <= 0) return;
  setTimeout(() => {
    cut();
    if (--left === 0) console.log(JSON.stringify({ breaks }));
  }, 5 + Math.random() * 40);
};

class BreakingSocket extends WebSocket {
  constructor(...given: ConstructorParameters<typeof WebSocket>) {
    super(...given);
    breakSoon(() => this.terminate());
  }
}
globalThis.WebSocket = BreakingSocket as never;

const plainFetch = globalThis.fetch;
globalThis.fetch = (target, init) => {
  const breaking = new AbortController();
  breakSoon(() => breaking.abort(new TypeError("broken")));
  init?.signal?.addEventListener("abort", () => breaking.abort(init.signal?.reason));
  return plainFetch(target, { ...init, signal: breaking.signal });
};

let asked = 0;
const { followFeed } = await import(example);
type Seen = { cursor: string; transaction: { description?: string } };
const stop = followFeed(
  url,
  async () => {
    if (++asked === 2) throw new TypeError("fetch failed"); // as when the token is renewed over the same network
    return token || null;
  },
  after || null,
  (event: Seen) => {
    console.log(JSON.stringify(event));
    if (event.transaction.description === last) {
      stop();
      process.exit(0);
    }
  },
  (why: unknown) => {
    console.log(JSON.stringify({ ended: why ?? null }));
    process.exit(0);
  },
);
