// A customer's account, as staff see it: freeze it, set its overdraft, reverse what was booked.

import { useState } from "react";
import { useQuery } from "urql";
import { Link } from "wouter";
import { graphql } from "../gql";
import { FREEZE, UNFREEZE } from "../pages/account-actions";
import { useAction, useIntent } from "../ui/actions";
import { Dialog } from "../ui/dialog";
import { Entries } from "../ui/entries";
import { Field, Form, mistakeIn } from "../ui/form";
import { useLocale, useWord } from "../ui/locale";
import { Amount, Button, Empty, Failure, grouped, Loading, Mark, Page } from "../ui/parts";
import { ProblemText } from "../ui/problem";
import { useRights } from "./desk";

const ACCOUNT = graphql(`
  query DeskAccount($id: ID!) {
    account(id: $id) {
      id name number kind currency status freezeReason
      owner { id fullName }
      balance { booked { amount currency } held { amount currency } available { amount currency } }
      overdraftLimit { amount currency }
    }
  }
`);
const SET_OVERDRAFT = graphql(`
  mutation SetOverdraft($id: ID!, $limit: MoneyInput!) {
    setOverdraftLimit(id: $id, limit: $limit) {
      ... on Account { id overdraftLimit { amount currency } balance { available { amount currency } } }
      ...Rejection
    }
  }
`);

type Shown = "freeze" | "overdraft" | null;

export function DeskAccount({ id }: { id: string }) {
  const { t } = useLocale();
  const word = useWord();
  const { actsOnAccounts } = useRights();
  const [shown, setShown] = useState<Shown>(null);
  const [reversals, setReversals] = useState(0);
  const [{ data, error }, again] = useQuery({ query: ACCOUNT, variables: { id } });
  const unfreeze = useAction(UNFREEZE);
  const account = data?.account;
  const close = () => setShown(null);
  const reload = () => again({ requestPolicy: "network-only" });
  if (!account) {
    if (data) return <Page title={t("account.missing")}><Empty>{t("rejection.notFound")}</Empty></Page>;
    return error ? <Failure retry={reload} /> : <Loading />;
  }
  return (
    <Page title={account.name} aside={<Mark group="accountStatus" value={account.status} />}>
      <section className="card" aria-label={t("account.balance")}>
        <p className="large"><Amount of={account.balance.booked} /></p>
        <dl className="definitions">
          <div><dt>{t("staff.owner")}</dt><dd><Link href={`/staff/users/${account.owner.id}`}>{account.owner.fullName}</Link></dd></div>
          <div><dt>{t("account.number")}</dt><dd>{grouped(account.number)}</dd></div>
          <div><dt>{t("account.kind")}</dt><dd>{word("accountKind", account.kind)}</dd></div>
          <div><dt>{t("available")}</dt><dd><Amount of={account.balance.available} /></dd></div>
          <div><dt>{t("account.held")}</dt><dd><Amount of={account.balance.held} /></dd></div>
          <div><dt>{t("account.overdraft")}</dt><dd><Amount of={account.overdraftLimit} /></dd></div>
          {account.freezeReason && <div><dt>{t("staff.reason")}</dt><dd>{account.freezeReason}</dd></div>}
        </dl>
        {unfreeze.problem && <ProblemText problem={unfreeze.problem} />}
        {actsOnAccounts && (
          <div className="actions">
            {account.status === "ACTIVE" && <Button kind="danger" onClick={() => setShown("freeze")}>{t("account.freeze")}</Button>}
            {account.status === "FROZEN" && <Button busy={unfreeze.isRunning} onClick={() => void unfreeze.run({ id })}>{t("account.unfreeze")}</Button>}
            <Button onClick={() => setShown("overdraft")}>{t("staff.setOverdraft")}</Button>
          </div>
        )}
      </section>
      <Entries
        key={reversals}
        accountId={id}
        actions={(transactionId, done) => actsOnAccounts && <Reverse transactionId={transactionId} onDone={() => (done(), reload(), setReversals(reversals + 1))} />}
      />
      {shown === "freeze" && <FreezeDialog id={id} onClose={close} />}
      {shown === "overdraft" && <OverdraftDialog id={id} currency={account.currency} onClose={close} />}
    </Page>
  );
}

function FreezeDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const { t } = useLocale();
  const [reason, setReason] = useState("");
  const { run, isRunning, problem } = useAction(FREEZE);
  return (
    <Dialog title={t("account.freeze")} onClose={onClose}>
      <Form kind="danger" label={t("account.freeze")} busy={isRunning} problem={problem} onCancel={onClose} onSubmit={async () => (await run({ id, reason })) && onClose()}>
        <Field label={t("staff.reason")} required value={reason} onChange={(event) => setReason(event.target.value)} mistake={mistakeIn(problem, "reason")} />
      </Form>
    </Dialog>
  );
}

function OverdraftDialog({ id, currency, onClose }: { id: string; currency: string; onClose: () => void }) {
  const { t, parse } = useLocale();
  const [text, setText] = useState("");
  const { run, isRunning, problem } = useAction(SET_OVERDRAFT);
  const amount = parse(text, currency);
  const save = async () => amount && (await run({ id, limit: { amount, currency: currency as "EUR" } })) && onClose();
  return (
    <Dialog title={t("staff.setOverdraft")} onClose={onClose}>
      <Form label={t("save")} busy={isRunning} problem={problem} onCancel={onClose} onSubmit={() => void save()}>
        <Field
          label={t("pay.amount", { currency })} inputMode="decimal" required value={text} onChange={(event) => setText(event.target.value)}
          mistake={text && !amount ? t("amountMistake", { currency }) : mistakeIn(problem, "limit")}
        />
      </Form>
    </Dialog>
  );
}

function Reverse({ transactionId, onDone }: { transactionId: string; onDone: () => void }) {
  const { t } = useLocale();
  const [reason, setReason] = useState("");
  const { progress, submit } = useIntent("reverse");
  if (progress.at === "done") {
    return <><p role="status">{t("staff.reversed")}</p><div className="actions"><Button kind="primary" onClick={onDone}>{t("staff.showEntries")}</Button></div></>;
  }
  return (
    <details>
      <summary>{t("staff.reverse")}</summary>
      <Form
        kind="danger" label={t("staff.reverse")} busy={progress.at === "sending" || progress.at === "unanswered"}
        problem={progress.at === "refused" ? progress.problem : null} onSubmit={() => submit({ transactionId, reason })}
      >
        <p>{t("staff.reverseWhy")}</p>
        <Field label={t("staff.reason")} required value={reason} onChange={(event) => setReason(event.target.value)} />
      </Form>
    </details>
  );
}
