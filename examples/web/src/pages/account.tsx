// One account: its balance and how it came about, its entries, its statements, and what can be done with it.

import { useMemo, useState } from "react";
import { useQuery } from "urql";
import { graphql } from "../gql";
import { Entries } from "../ui/entries";
import { BalanceChart } from "../ui/chart";
import { useBank } from "../ui/bank";
import { useEvents } from "../ui/feed";
import { useLocale, useWord } from "../ui/locale";
import { Amount, Button, ButtonLink, Copyable, Empty, Failure, grouped, Loading, Mark, Page, Section } from "../ui/parts";
import { AccountActions } from "./account-actions";
import { Statements } from "./statements";

const ACCOUNT = graphql(`
  query Account($id: ID!, $from: Date!, $to: Date!) {
    account(id: $id) {
      id name number kind currency status freezeReason openedAt
      balance { booked { amount currency } held { amount currency } available { amount currency } }
      overdraftLimit { amount currency }
      accruedInterest { amount currency }
      amountDue { amount currency }
      product { id name }
      balanceHistory(from: $from, to: $to) { date booked { amount currency } }
      pending: transactions(filter: { statuses: [PENDING] }, first: 50) {
        nodes { id kind description createdAt settlesOn expiresAt amount { amount currency } from { name } to { name accountNumber } }
      }
    }
  }
`);

const CHART_DAYS = 90;

export function AccountPage({ id }: { id: string }) {
  const { t, day } = useLocale();
  const word = useWord();
  const { today } = useBank();
  const from = useMemo(() => before(today, CHART_DAYS), [today]);
  const [{ data, error }, again] = useQuery({ query: ACCOUNT, variables: { id, from, to: today } });
  const reload = () => again({ requestPolicy: "network-only" });
  useEvents((event) => (event === null || event.account.id === id) && reload());
  const [action, setAction] = useState<string | null>(null);
  const account = data?.account;
  if (!account) {
    if (data) return <Page title={t("account.missing")}><Empty>{t("rejection.notFound")}</Empty></Page>;
    return error ? <Failure retry={reload} /> : <Loading />;
  }
  const { balance, pending } = account;
  const isZero = (amount: string) => !/[1-9]/.test(amount);
  return (
    <Page title={account.name} aside={account.status === "ACTIVE" && <ButtonLink to={`/pay/from/${id}`}>{t("pay.do")}</ButtonLink>}>
      <section className="card balance" aria-label={t("account.balance")}>
        <p className="large"><Amount of={balance.booked} /> {account.status !== "ACTIVE" && <Mark group="accountStatus" value={account.status} />}</p>
        {account.freezeReason && <p>{t("account.frozenFor", { reason: account.freezeReason })}</p>}
        <dl className="definitions">
          <div><dt>{t("available")}</dt><dd><Amount of={balance.available} /></dd></div>
          {!isZero(balance.held.amount) && <div><dt>{t("account.held")}</dt><dd><Amount of={balance.held} /></dd></div>}
          {!isZero(account.overdraftLimit.amount) && <div><dt>{t("account.overdraft")}</dt><dd><Amount of={account.overdraftLimit} /></dd></div>}
          {!isZero(account.accruedInterest.amount) && <div><dt>{t("account.interest")}</dt><dd><Amount of={account.accruedInterest} /></dd></div>}
          {!isZero(account.amountDue.amount) && <div><dt>{t("account.due")}</dt><dd><Amount of={account.amountDue} /></dd></div>}
          <div><dt>{t("account.kind")}</dt><dd>{word("accountKind", account.kind)}{account.product && ` · ${account.product.name}`}</dd></div>
          <div><dt>{t("account.number")}</dt><dd><Copyable text={grouped(account.number)} /></dd></div>
        </dl>
        <BalanceChart days={account.balanceHistory.filter(({ date }) => date >= account.openedAt.slice(0, 10))} />
        <AccountActions account={account} action={action} setAction={setAction} />
      </section>
      {pending.nodes.length > 0 && (
        <Section title={t("account.pending")}>
          <ul className="rows">
            {pending.nodes.map((each) => (
              <li key={each.id} className="row">
                <span>
                  <strong>{word("transactionKind", each.kind)}</strong>
                  <small>{each.from.name} → {each.to.name}{each.description && ` · ${each.description}`}</small>
                </span>
                <span className="figures">
                  <Amount of={each.amount} />
                  <small className="wraps">{each.settlesOn ? t("account.settles", { day: day(each.settlesOn) }) : day(each.createdAt)}</small>
                </span>
              </li>
            ))}
          </ul>
        </Section>
      )}
      <Entries accountId={id} />
      <Statements accountId={id} openedOn={account.openedAt.slice(0, 10)} />
      {account.status !== "CLOSED" && (
        <p className="actions"><Button kind="danger" onClick={() => setAction("close")}>{t("account.close")}</Button></p>
      )}
    </Page>
  );
}

/** The day that is some days before another one. */
function before(date: string, days: number): string {
  const at = new Date(`${date}T00:00:00Z`);
  at.setUTCDate(at.getUTCDate() - days);
  return at.toISOString().slice(0, 10);
}
