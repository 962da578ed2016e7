// The live view: what happens on the viewer's accounts, beside whatever is in the editor.

import { createContext, useContext, useEffect, useState } from "react";
import { subscribe, type Transport } from "./transport";

const FEED = `subscription Live {
  transactionFeed {
    cursor kind occurredAt account { name }
    transaction { kind amount { amount currency } description from { name } to { name } }
  }
}`;

type Happening = {
  cursor: string;
  kind: string;
  occurredAt: string;
  account: { name: string };
  transaction: {
    kind: string;
    amount: { amount: string; currency: string };
    description: string | null;
    from: { name: string };
    to: { name: string };
  };
};

export const FeedIcon = () => (
  <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round">
    <title>Live feed</title>
    <path d="M6 10a6 6 0 0 1 12 0c0 6 2.5 7 2.5 7h-17S6 16 6 10M10 20.5a2.2 2.2 0 0 0 4 0" />
  </svg>
);

/** Whose feed is followed, and how: for the pane, which GraphiQL renders. */
export const Following = createContext<{ transport: Transport; email: string | null }>({ transport: "websocket", email: null });

export function Feed() {
  const { transport, email } = useContext(Following);
  const [events, setEvents] = useState<Happening[]>([]);
  const [state, setState] = useState("");

  useEffect(() => {
    setEvents([]);
    if (!email) return setState("Sign in to follow your accounts.");
    setState("Following. Make a transfer, and it appears here.");
    const stream = subscribe(transport, { query: FEED, variables: {} });
    let over = false; // what still comes of it is no longer for this view
    const tell = (message: string) => over || setState(message);
    void (async () => {
      try {
        for await (const { data, errors } of stream) {
          if (errors) tell(errors[0].message);
          if (data && !over) setEvents((before) => [data.transactionFeed, ...before].slice(0, 100));
        }
        tell("The stream has ended. Open the view anew.");
      } catch (error) {
        tell((Array.isArray(error) ? error[0]?.message : undefined) ?? "The stream broke off. Open the view anew.");
      }
    })();
    return () => {
      over = true;
      void stream.return?.();
    };
  }, [transport, email]);

  return (
    <section className="feed" aria-label="Live feed">
      <h2>Live feed</h2>
      <p role="status">{state}</p>
      <ol>
        {events.map((event) => (
          <li key={event.cursor}>
            <b>
              {event.transaction.amount.amount} {event.transaction.amount.currency}
            </b>{" "}
            <span className="kind">{event.kind}</span>
            <br />
            {event.transaction.from.name} → {event.transaction.to.name}
            {event.transaction.description && `, “${event.transaction.description}”`}
            <br />
            <small>
              {event.transaction.kind} · {event.account.name} · {new Date(event.occurredAt).toLocaleTimeString()}
            </small>
          </li>
        ))}
      </ol>
    </section>
  );
}
