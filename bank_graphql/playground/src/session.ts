// Who is signed in. The tokens live in this module's memory, and nowhere else: a reload signs out.

export type Viewer = { email: string; fullName: string; accounts: string[]; cards: string[] };

type Tokens = { accessToken: string; refreshToken: string; expiresAt: string };

const SESSION = "... on AuthSession { accessToken refreshToken expiresAt } ... on Rejection { message }";
const LOG_IN = `mutation ($input: LogInInput!) { logIn(input: $input) { ${SESSION} ... on MfaChallenge { challengeToken } } }`;
const COMPLETE = `mutation ($token: String!, $code: String!) { completeLogIn(challengeToken: $token, code: $code) { ${SESSION} } }`;
const REFRESH = `mutation ($token: String!) { refreshSession(refreshToken: $token) { ${SESSION} } }`;
const LOG_OUT = "mutation { logOut { __typename } }";
const ME = "{ me { email fullName accounts(first: 100) { nodes { id } } cards(last: 10) { nodes { id status } } } }";

/** Beside this page, wherever that is. */
export const ENDPOINT = new URL("graphql", location.href).href;

let tokens: Tokens | null = null;
let renewal: number | undefined;

export const bearer = (): Record<string, string> => (tokens ? { authorization: `Bearer ${tokens.accessToken}` } : {});

/** Headers as they are compared: one that is given counts more than ours of the same name. */
export const lowerCase = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

export async function ask(query: string, variables: unknown = {}, headers: Record<string, string> = {}, operationName?: string): Promise<any> {
  const response = await fetch(ENDPOINT, {
    method: "POST",
    headers: { accept: "application/graphql-response+json", "content-type": "application/json", ...bearer(), ...lowerCase(headers) },
    body: JSON.stringify({ query, variables, operationName }),
  });
  return response.json();
}

async function take(answer: any, field: string): Promise<void> {
  const session = answer.data?.[field];
  if (!session?.accessToken) throw new Error(session?.message ?? answer.errors?.[0]?.message ?? "The bank does not answer.");
  tokens = session;
  window.clearTimeout(renewal);
  const left = Date.parse(session.expiresAt) - Date.now();
  renewal = window.setTimeout(() => void renew(), Math.max(1000, left - 60_000));
}

async function renew(): Promise<void> {
  if (!tokens) return;
  try {
    await take(await ask(REFRESH, { token: tokens.refreshToken }), "refreshSession");
  } catch (error) {
    if (error instanceof TypeError) {
      renewal = window.setTimeout(() => void renew(), 10_000); // no network just now
      return;
    }
    tokens = null;
    window.dispatchEvent(new Event("signed-out"));
  }
}

/** The viewer; or the challenge that a code of the viewer's second factor is to answer. */
export async function signIn(email: string, password: string): Promise<Viewer | null | { challenge: string }> {
  const answer = await ask(LOG_IN, { input: { email, password } });
  const challenge = answer.data?.logIn?.challengeToken;
  if (challenge) return { challenge };
  await take(answer, "logIn");
  return viewer();
}

export async function completeSignIn(challenge: string, code: string): Promise<Viewer | null> {
  await take(await ask(COMPLETE, { token: challenge, code }), "completeLogIn");
  return viewer();
}

/** Takes up the session of a sign-up that was run in the editor, and ends the one before. */
export async function takeUp(session: Tokens): Promise<Viewer | null> {
  await signOut();
  await take({ data: { session } }, "session");
  return viewer();
}

/** Who is signed in by now: nobody, if the session has ended. */
export async function viewer(): Promise<Viewer | null> {
  const { data, errors } = await ask(ME);
  if (errors?.[0]?.extensions?.code === "UNAUTHENTICATED") {
    tokens = null;
    return null;
  }
  if (!data) throw new Error(errors?.[0]?.message ?? "The bank does not answer.");
  const { me } = data;
  if (!me) {
    tokens = null;
    return null;
  }
  const cards = me.cards.nodes.filter((card: { status: string }) => card.status === "ACTIVE");
  const ids = (nodes: { id: string }[]) => nodes.map((node) => node.id);
  return { email: me.email, fullName: me.fullName, accounts: ids(me.accounts.nodes), cards: ids(cards) };
}

export async function signOut(): Promise<void> {
  if (tokens) await ask(LOG_OUT).catch(() => undefined);
  tokens = null;
  window.clearTimeout(renewal);
}
