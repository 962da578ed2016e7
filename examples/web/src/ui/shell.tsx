// Around every page: who is signed in, the navigation, the live feed, proofs, and what the bank has not answered yet.

import { type ReactNode, useCallback, useEffect, useMemo, useRef } from "react";
import { useClient, useQuery } from "urql";
import { Link, useLocation, useRoute } from "wouter";
import { newPlainClient } from "../bank/client";
import { Outbox } from "../bank/outbox";
import { setSession, signOut } from "../bank/session";
import { graphql } from "../gql";
import { type Bank, BankContext, useBank } from "./bank";
import { Feed } from "./feed";
import { LanguageChoice } from "./language";
import { useLocale, useWord } from "./locale";
import { Failure, Loading } from "./parts";
import { StepUpDialog, useProve } from "./step-up";
import { Unsettled } from "./unsettled";

const SHELL = graphql(`
  query Shell {
    feedCursor
    clock { now movable }
    me { id email fullName role }
  }
`);

const LOG_OUT = graphql(`
  mutation LogOut($id: ID) { logOut(sessionId: $id) { ... on Done { ok } ...Rejection } }
`);

const PATIENCE_MILLISECONDS = 3_000;

export const STAFF = new Set(["TELLER", "AUDITOR", "ADMIN"]);

/** The pages for somebody who is signed in. */
export function Shell({ children }: { children: ReactNode }) {
  const [{ data, error, fetching, stale }, again] = useQuery({ query: SHELL });
  const { proof, prove } = useProve();
  const me = data?.me;
  const clock = data?.clock;
  const client = useClient();
  const userId = me?.id;
  const outbox = useMemo(() => (userId ? new Outbox(client, userId, prove) : null), [client, userId, prove]);
  const plain = useMemo(() => (userId ? newPlainClient(userId) : null), [userId]);
  useEffect(() => {
    outbox?.resume();
    return () => outbox?.end();
  }, [outbox]);
  const bank = useMemo<Bank | null>(
    () => (me && clock && outbox && plain ? { viewer: me, today: dayOf(clock.now), isSandbox: clock.movable, prove, outbox, plain } : null),
    [me, clock, outbox, plain, prove],
  );
  useEffect(() => {
    if (data && !data.me && !error && !fetching && !stale) setSession(null);
  }, [data, error, fetching, stale]);
  if (!bank || data === undefined) {
    return <main className="alone">{error ? <Failure retry={() => again({ requestPolicy: "network-only" })} /> : <Loading />}</main>;
  }
  return (
    <BankContext.Provider value={bank}>
      <Frame cursor={data.feedCursor ?? null}>{children}</Frame>
      {proof && <StepUpDialog key={proof.required.challenge} proof={proof} />}
    </BankContext.Provider>
  );
}

function Frame({ cursor, children }: { cursor: string | null; children: ReactNode }) {
  const { t } = useLocale();
  const main = useRef<HTMLElement>(null);
  return (
    <div className="shell">
      <a className="skip" href="#main" onClick={(event) => (event.preventDefault(), main.current?.focus())}>{t("skip")}</a>
      <Navigation />
      <main id="main" ref={main} tabIndex={-1}>
        <Unsettled />
        {children}
      </main>
      <Feed cursor={cursor} />
    </div>
  );
}

function Navigation() {
  const { t } = useLocale();
  const word = useWord();
  const { plain, viewer } = useBank();
  const [, setLocation] = useLocation();
  const logOut = useCallback(async () => {
    // Signed out here in any case, whether or not the bank answers.
    const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE_MILLISECONDS));
    await Promise.race([plain.mutation(LOG_OUT, {}).toPromise(), patience]);
    setLocation("/");
    signOut();
  }, [plain, setLocation]);
  return (
    <header className="top">
      <Link href="/" className="brand">{t("bank")}</Link>
      <nav aria-label={t("nav.label")}>
        <Tab to="/">{t("nav.overview")}</Tab>
        <Tab to="/pay">{t("nav.pay")}</Tab>
        <Tab to="/orders">{t("nav.orders")}</Tab>
        <Tab to="/payees">{t("nav.payees")}</Tab>
        <Tab to="/cards">{t("nav.cards")}</Tab>
        {STAFF.has(viewer.role) && <Tab to="/staff">{t("nav.staff")}</Tab>}
        <Tab to="/settings">{t("nav.settings")}</Tab>
      </nav>
      <div className="viewer">
        <span className="name" title={viewer.email}>{viewer.fullName}{viewer.role !== "CUSTOMER" && ` · ${word("role", viewer.role)}`}</span>
        <LanguageChoice />
        <button type="button" className="plain small" onClick={() => void logOut()}>{t("signOut")}</button>
      </div>
    </header>
  );
}

function Tab({ to, children }: { to: string; children: ReactNode }) {
  const [isHere] = useRoute(to === "/" ? "/" : `${to}/*?`);
  const link = useRef<HTMLAnchorElement>(null);
  useEffect(() => {
    if (isHere) link.current?.scrollIntoView({ block: "nearest", inline: "center" }); // on a phone they are more than fit
  }, [isHere]);
  return <Link ref={link} href={to} aria-current={isHere ? "page" : undefined}>{children}</Link>;
}

/** The day of a time where this machine is, e.g. 2026-11-28. */
function dayOf(time: string): string {
  const at = new Date(time);
  return [at.getFullYear(), at.getMonth() + 1, at.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
}

