// Everything about one transaction.

import type { ReactNode } from "react";
import { useQuery } from "urql";
import { graphql } from "../gql";
import { Dialog } from "./dialog";
import { useLocale, useWord } from "./locale";
import { Amount, Button, Copyable, Failure, grouped, Loading, Mark } from "./parts";

const TRANSACTION = graphql(`
  query Transaction($id: ID!) {
    transaction(id: $id) {
      id kind status description createdAt postedAt settlesOn returnReason reference externalReference payeeMatch declineReason
      amount { amount currency }
      from { name accountNumber } to { name accountNumber } merchant { name country }
      fee { id amount { amount currency } }
      reversedBy { id reference }
      explanation {
        lines { from to days rate balance { amount currency } part { amount currency } interest }
        accrued posted { amount currency } carried carriedOn
      }
    }
  }
`);

export function TransactionDialog({ id, onClose, children }: { id: string; onClose: () => void; children?: ReactNode }) {
  const { t, time, day, money } = useLocale();
  const word = useWord();
  const [{ data, error }, again] = useQuery({ query: TRANSACTION, variables: { id } });
  const found = data?.transaction;
  return (
    <Dialog title={found ? word("transactionKind", found.kind) : t("transaction.title")} onClose={onClose}>
      {!found && (error ? <Failure retry={() => again({ requestPolicy: "network-only" })} /> : <Loading />)}
      {found && (
        <>
          <p className="large"><Amount of={found.amount} /> <Mark group="transactionStatus" value={found.status} /></p>
          <dl className="definitions">
            <div><dt>{t("transaction.from")}</dt><dd><Party of={found.from} /></dd></div>
            <div><dt>{t("transaction.to")}</dt><dd><Party of={found.merchant ? { name: `${found.merchant.name}, ${found.merchant.country}` } : found.to} /></dd></div>
            {found.description && <div><dt>{t("pay.description")}</dt><dd>{found.description}</dd></div>}
            <div><dt>{t("transaction.created")}</dt><dd>{time(found.createdAt)}</dd></div>
            {found.postedAt && <div><dt>{t("transaction.posted")}</dt><dd>{time(found.postedAt)}</dd></div>}
            {found.settlesOn && <div><dt>{t("transaction.settles")}</dt><dd>{day(found.settlesOn)}</dd></div>}
            {found.fee && <div><dt>{t("pay.fee")}</dt><dd><Amount of={found.fee.amount} /></dd></div>}
            {found.payeeMatch && <div><dt>{t("transaction.match")}</dt><dd>{word("payeeMatch", found.payeeMatch)}</dd></div>}
            {found.declineReason && <div><dt>{t("transaction.declined")}</dt><dd>{word("declineReason", found.declineReason)}</dd></div>}
            {found.returnReason && <div><dt>{t("transaction.returned")}</dt><dd>{found.returnReason}</dd></div>}
            {found.reversedBy && <div><dt>{t("transaction.reversedBy")}</dt><dd><code>{found.reversedBy.reference}</code></dd></div>}
            <div><dt>{t("transaction.reference")}</dt><dd><Copyable text={found.reference} /></dd></div>
          </dl>
          {found.explanation && (
            <div className="scroll" tabIndex={0} role="region" aria-label={t("transaction.interest")}>
              <table>
                <caption>{t("transaction.interest")}</caption>
                <thead><tr><th>{t("transaction.days")}</th><th className="number">{t("account.balance")}</th><th className="number">{t("transaction.rate")}</th><th className="number">{t("transaction.earned")}</th></tr></thead>
                <tbody>
                  {found.explanation.lines.map((line, index) => (
                    <tr key={index}>
                      <td>{day(line.from)} – {day(line.to)} ({line.days})</td>
                      <td className="number">{money(line.part)}</td><td className="number">{line.rate}</td><td className="number">{line.interest}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
          {children}
          <div className="actions end"><Button onClick={onClose}>{t("close")}</Button></div>
        </>
      )}
    </Dialog>
  );
}

const Party = ({ of }: { of: { name: string; accountNumber?: string | null } }) => (
  <>{of.name}{of.accountNumber && <small> {grouped(of.accountNumber)}</small>}</>
);
