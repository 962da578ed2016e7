import { explorerPlugin } from "@graphiql/plugin-explorer";
import { GraphiQL } from "graphiql";
import { type DocumentNode, parse } from "graphql";
import { type FormEvent, useEffect, useMemo, useRef, useState } from "react";
import { EXAMPLES } from "./examples";
import { Feed, FeedIcon, Following } from "./feed";
import { FILLED_IN, fill, forget, notice } from "./fill";
import { completeSignIn, signIn, signOut, takeUp, type Viewer, viewer as look } from "./session";
import { isSubscription, operations, send, subscribe, type Transport } from "./transport";

const PLUGINS = [explorerPlugin(), { title: "Live feed", icon: FeedIcon, content: Feed }];

export function Playground() {
  const [viewer, setViewer] = useState<Viewer | null>(null);
  const [transport, setTransport] = useState<Transport>("websocket");
  // The fetcher is made once, and looks here for what is true by then.
  const now = useRef({ viewer, transport });
  now.current = { viewer, transport };

  useEffect(() => {
    const leave = () => setViewer(null);
    window.addEventListener("signed-out", leave);
    return () => window.removeEventListener("signed-out", leave);
  }, []);

  const fetcher = useMemo(
    () => async (params: any, options?: any) => {
      const document = parsed(params.query);
      // Right after a change of tabs, the editor may still give the name of the operation in the tab before.
      const operationName = operations(document).length > 1 ? params.operationName : undefined;
      let variables: Record<string, unknown>;
      try {
        variables = fill(document, operationName, params.variables, now.current.viewer);
      } catch (error) {
        return { errors: [{ message: (error as Error).message }] };
      }
      const request = { query: params.query, operationName, variables };
      const headers = options?.headers ?? {};
      if (isSubscription(document, operationName)) return subscribe(now.current.transport, request, headers);
      const answer = await send(request, headers);
      notice(answer.data);
      const session = answer.data?.signUp ?? answer.data?.logIn;
      if (session?.accessToken && session.refreshToken) {
        forget();
        setViewer(await takeUp({ ...session }));
        session.accessToken = session.refreshToken = "kept by this page"; // and shown to nobody over one's shoulder
      } else if (now.current.viewer && answer.data && !answer.data.__schema) {
        setViewer(await look().catch(() => now.current.viewer)); // which may have changed, or ended
      }
      return answer;
    },
    [],
  );

  return (
    <Following value={{ transport, email: viewer?.email ?? null }}>
      <header className="bar">
        <a href="./" title="About this bank">
          bank_graphql
        </a>
        <Session viewer={viewer} setViewer={setViewer} />
        <label className="transport">
          Subscriptions over{" "}
          <select value={transport} onChange={(event) => setTransport(event.target.value as Transport)}>
            <option value="websocket">WebSocket</option>
            <option value="events">event stream</option>
          </select>
        </label>
      </header>
      <GraphiQL
        fetcher={fetcher}
        plugins={PLUGINS}
        storage={window.sessionStorage} // variables may hold passwords: they go with the tab
        defaultTabs={EXAMPLES.map((query) => ({ query }))}
        shouldPersistHeaders={false}
        className="graphiql"
      >
        <GraphiQL.Logo>
          <span className="filled">Filled in if you leave them out: {FILLED_IN.join(" ")}</span>
        </GraphiQL.Logo>
      </GraphiQL>
    </Following>
  );
}

/** The document, or nothing: what is wrong with it is for the bank to say. */
function parsed(query: string): DocumentNode | undefined {
  try {
    return parse(query);
  } catch {
    return undefined;
  }
}

function Session({ viewer, setViewer }: { viewer: Viewer | null; setViewer: (viewer: Viewer | null) => void }) {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const [challenge, setChallenge] = useState("");

  async function enter(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setProblem("");
    try {
      forget();
      const found = challenge
        ? await completeSignIn(challenge, String(form.get("code")))
        : await signIn(String(form.get("email")), String(form.get("password")));
      if (found && "challenge" in found) setChallenge(found.challenge);
      else {
        setChallenge("");
        setViewer(found);
      }
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  }

  if (viewer) {
    return (
      <div className="session">
        <span>
          Signed in as <b>{viewer.fullName}</b>
        </span>
        <button
          type="button"
          onClick={async () => {
            await signOut();
            window.sessionStorage.clear();
            window.location.reload(); // with all that the one before has asked and seen
          }}
        >
          Sign out
        </button>
      </div>
    );
  }
  if (challenge) {
    return (
      <form className="session" onSubmit={enter}>
        <input name="code" placeholder="Code of your app" aria-label="Code of your app" autoComplete="one-time-code" autoFocus required />
        <button type="submit" disabled={busy}>
          Sign in
        </button>
        <button type="button" onClick={() => setChallenge("")}>
          Cancel
        </button>
        {problem && <span role="alert">{problem}</span>}
      </form>
    );
  }
  return (
    <form className="session" onSubmit={enter}>
      <input name="email" type="email" placeholder="E-mail" aria-label="E-mail" autoComplete="username" required />
      <input
        name="password"
        type="password"
        placeholder="Password"
        aria-label="Password"
        autoComplete="current-password"
        required
      />
      <button type="submit" disabled={busy}>
        Sign in
      </button>
      {problem && <span role="alert">{problem}</span>}
    </form>
  );
}
