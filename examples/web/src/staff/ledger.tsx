// The ledger: its trial balance, and what the latest verification found.

import { useState } from "react";
import { useQuery } from "urql";
import { totals } from "../bank/money";
import { graphql } from "../gql";
import { Field } from "../ui/form";
import { useLocale, useWord } from "../ui/locale";
import { Amount, Empty, Failure, Loading, Mark, Page, Section } from "../ui/parts";

const TRIAL_BALANCE = graphql(`
  query TrialBalance($at: DateTime) {
    trialBalance(at: $at) { at lines { purpose currency debits { amount currency } credits { amount currency } } }
  }
`);
const VERIFICATION = graphql(`
  query Verification { ledgerVerification { ok checkedAt checks { name ok examined firstProblem } } }
`);

export const Ledger = () => {
  const { t } = useLocale();
  return <Page title={t("staff.ledger")}><TrialBalance /><Verification /></Page>;
};

function TrialBalance() {
  const { t, time } = useLocale();
  const word = useWord();
  const [text, setText] = useState("");
  const at = text ? new Date(text).toISOString() : null;
  const [{ data, error }, again] = useQuery({ query: TRIAL_BALANCE, variables: { at }, requestPolicy: "network-only" });
  const lines = data?.trialBalance?.lines;
  const sums = (side: "debits" | "credits") => totals((lines ?? []).map((line) => line[side]));
  return (
    <Section title={t("staff.trialBalance")}>
      <Field label={t("staff.at")} type="datetime-local" hint={t("staff.atHint")} value={text} onChange={(event) => setText(event.target.value)} />
      {!lines && (error ? <Failure retry={() => again({ requestPolicy: "network-only" })} /> : <Loading />)}
      {lines?.length === 0 && <Empty>{t("staff.noLines")}</Empty>}
      {data?.trialBalance && lines && lines.length > 0 && (
        <div className="scroll" tabIndex={0} role="region" aria-label={t("staff.trialBalance")}>
          <table>
            <caption>{time(data.trialBalance.at)}</caption>
            <thead><tr><th>{t("staff.purpose")}</th><th className="number">{t("staff.debits")}</th><th className="number">{t("staff.credits")}</th></tr></thead>
            <tbody>
              {lines.map(({ purpose, currency, debits, credits }) => (
                <tr key={`${purpose} ${currency}`}><td>{word("purpose", purpose)}</td><td className="number"><Amount of={debits} /></td><td className="number"><Amount of={credits} /></td></tr>
              ))}
            </tbody>
            <tfoot>
              {sums("debits").map((debits, index) => {
                const credits = sums("credits")[index];
                return <tr key={debits.currency}><th>{t("staff.sum", { currency: debits.currency })}</th><td className="number"><Amount of={debits} /></td><td className="number">{credits && <Amount of={credits} />}</td></tr>;
              })}
            </tfoot>
          </table>
        </div>
      )}
    </Section>
  );
}

function Verification() {
  const { t, time } = useLocale();
  const [{ data, error }, again] = useQuery({ query: VERIFICATION });
  const found = data?.ledgerVerification;
  return (
    <Section title={t("staff.verification")} aside={found && <Mark group="check" value={found.ok ? "OK" : "WRONG"} />}>
      {!data && (error ? <Failure retry={() => again({ requestPolicy: "network-only" })} /> : <Loading />)}
      {data && !found && <Empty>{t("staff.notVerified")}</Empty>}
      {found && (
        <div className="scroll" tabIndex={0} role="region" aria-label={t("staff.verification")}>
          <table>
            <caption>{time(found.checkedAt)}</caption>
            <thead><tr><th>{t("staff.check")}</th><th className="number">{t("staff.examined")}</th><th>{t("staff.found")}</th></tr></thead>
            <tbody>
              {found.checks.map((check) => (
                <tr key={check.name}><td>{check.name}</td><td className="number">{check.examined}</td><td>{check.ok ? <Mark group="check" value="OK" /> : check.firstProblem}</td></tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  );
}
