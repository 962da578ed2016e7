// The feed on the pages: what happens shows at once, and is read aloud to whoever cannot see it.

import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { useSubscription } from "urql";
import { FEED, type FeedEvent, feedState, onFeedState, onGap } from "../bank/feed";
import { useLocale, useWord } from "./locale";

const listeners = new Set<(event: FeedEvent | null) => void>();

/** Call a listener for each event of the feed, and with null when events were missed. */
export function useEvents(listener: (event: FeedEvent | null) => void): void {
  const latest = useRef(listener);
  latest.current = listener;
  useEffect(() => {
    const call = (event: FeedEvent | null) => latest.current(event);
    listeners.add(call);
    return () => void listeners.delete(call);
  }, []);
}

/** Follow the feed from a cursor that was read before the pages were, and say whether it is live and what happened last. */
export function Feed({ cursor }: { cursor: string | null }) {
  const { t, money } = useLocale();
  const word = useWord();
  const [after] = useState(cursor);
  const state = useSyncExternalStore(onFeedState, feedState);
  const publish = (event: FeedEvent | null) => listeners.forEach((listener) => listener(event));
  const [{ data }] = useSubscription({ query: FEED, variables: { after } }, (_before, event) => {
    publish(event.transactionFeed);
    return event;
  });
  const latest = data?.transactionFeed;
  useEffect(() => onGap(() => publish(null)), []);
  // The feed misses nothing, but what pages tried to read while the bank could not be reached, they read now.
  const wasLive = useRef(false);
  useEffect(() => {
    if (state !== "live") return;
    if (wasLive.current) publish(null);
    wasLive.current = true;
  }, [state]);
  const text = latest && t("feed.event", {
    what: word("eventKind", latest.kind),
    amount: money(latest.transaction.amount),
    from: latest.transaction.from.name,
    to: latest.transaction.to.name,
    account: latest.account.name,
  });
  return (
    <footer className="feed">
      <span className={`live ${state}`} role="status">{t(`feed.${state}`)}</span>
      <p aria-live="polite">{text}</p>
    </footer>
  );
}
