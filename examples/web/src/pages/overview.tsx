// All accounts, what they have together, and how to open another.

import { useState } from "react";
import { useQuery } from "urql";
import { Link } from "wouter";
import { totals } from "../bank/money";
import { graphql } from "../gql";
import type { AccountKind, CurrencyCode } from "../gql/graphql";
import { useIntent } from "../ui/actions";
import { useBank } from "../ui/bank";
import { Dialog } from "../ui/dialog";
import { useEvents } from "../ui/feed";
import { Field, Form, Select } from "../ui/form";
import { useLocale, useWord } from "../ui/locale";
import { Amount, Button, ButtonLink, Empty, Failure, grouped, Loading, Mark, Page, Section } from "../ui/parts";

export const ACCOUNTS = graphql(`
  query Accounts {
    me {
      id
      accounts(first: 100) {
        nodes {
          id name number kind currency status
          balance { booked { amount currency } held { amount currency } available { amount currency } }
        }
      }
    }
  }
`);

export function Overview() {
  const { t } = useLocale();
  const [isOpening, setOpening] = useState(false);
  const [{ data, error }, again] = useQuery({ query: ACCOUNTS });
  const reload = () => again({ requestPolicy: "network-only" });
  useEvents(reload); // an answer that was under way may be older than the event
  const accounts = data?.me?.accounts.nodes.filter(({ status }) => status !== "CLOSED");
  return (
    <Page title={t("overview.title")} aside={<ButtonLink to="/pay">{t("pay.do")}</ButtonLink>}>
      {!accounts && (error ? <Failure retry={reload} /> : <Loading />)}
      {accounts?.length === 0 && <Empty>{t("overview.none")}</Empty>}
      {accounts && accounts.length > 0 && (
        <dl className="totals">
          {totals(accounts.map(({ balance }) => balance.booked)).map((total) => (
            <div key={total.currency}><dt>{t("overview.total", { currency: total.currency })}</dt><dd><Amount of={total} /></dd></div>
          ))}
        </dl>
      )}
      {accounts && (
        <Section title={t("overview.accounts")} aside={<Button onClick={() => setOpening(true)}>{t("openAccount.do")}</Button>}>
          <ul className="rows">
            {accounts.map(({ id, name, number, kind, status, balance }) => (
              <li key={id}>
                <Link href={`/accounts/${id}`} className="row">
                  <span><strong>{name}</strong> {status !== "ACTIVE" && <Mark group="accountStatus" value={status} />}<small><KindOf kind={kind} /> · {grouped(number)}</small></span>
                  <span className="figures"><Amount of={balance.booked} /><small>{t("available")} <Amount of={balance.available} /></small></span>
                </Link>
              </li>
            ))}
          </ul>
        </Section>
      )}
      {isOpening && <OpenAccount onClose={() => setOpening(false)} />}
    </Page>
  );
}

function KindOf({ kind }: { kind: AccountKind }) {
  const word = useWord();
  return word("accountKind", kind);
}

const CURRENCIES: CurrencyCode[] = ["EUR", "USD", "GBP", "CHF", "JPY", "SEK", "PLN", "KWD"];

function OpenAccount({ onClose }: { onClose: () => void }) {
  const { t, parse } = useLocale();
  const word = useWord();
  const { isSandbox } = useBank();
  const { progress, submit } = useIntent("openAccount");
  const [given, setGiven] = useState({ kind: "CHECKING" as AccountKind, currency: "EUR" as CurrencyCode, name: "", deposit: "" });
  const deposit = given.deposit ? parse(given.deposit, given.currency) : undefined;
  if (progress.at === "done") {
    return (
      <Dialog title={t("openAccount.title")} onClose={onClose}>
        <p role="status">{t("openAccount.done")}</p>
        <div className="actions"><Button kind="primary" onClick={onClose}>{t("close")}</Button></div>
      </Dialog>
    );
  }
  return (
    <Dialog title={t("openAccount.title")} onClose={onClose}>
      <Form
        label={t("openAccount.do")} onCancel={onClose}
        busy={progress.at === "sending" || progress.at === "unanswered"}
        problem={progress.at === "refused" ? progress.problem : null}
        onSubmit={() => deposit !== null && submit({ kind: given.kind, currency: given.currency, name: given.name || undefined, openingDeposit: deposit })}
      >
        <Select label={t("openAccount.kind")} value={given.kind} onChange={(event) => setGiven({ ...given, kind: event.target.value as AccountKind })}>
          {(["CHECKING", "SAVINGS", "CREDIT"] as const).map((kind) => <option key={kind} value={kind}>{word("accountKind", kind)}</option>)}
        </Select>
        <Select label={t("openAccount.currency")} value={given.currency} onChange={(event) => setGiven({ ...given, currency: event.target.value as CurrencyCode })}>
          {CURRENCIES.map((code) => <option key={code}>{code}</option>)}
        </Select>
        <Field label={t("openAccount.name")} value={given.name} maxLength={100} onChange={(event) => setGiven({ ...given, name: event.target.value })} />
        {isSandbox && (
          <Field
            label={t("openAccount.deposit")} hint={t("openAccount.depositHint")} inputMode="decimal" value={given.deposit}
            mistake={deposit === null ? t("amountMistake", { currency: given.currency }) : null}
            onChange={(event) => setGiven({ ...given, deposit: event.target.value })}
          />
        )}
      </Form>
      {progress.at === "unanswered" && <p role="status">{t("pay.unanswered")}</p>}
    </Dialog>
  );
}
