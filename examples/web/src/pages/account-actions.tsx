// What the owner can do with an account: rename it, freeze it, close it; and in a sandbox put money in.

import { useState } from "react";
import { useLocation } from "wouter";
import { graphql } from "../gql";
import type { AccountQuery } from "../gql/graphql";
import { useAction, useIntent } from "../ui/actions";
import { useBank } from "../ui/bank";
import { Confirm, Dialog } from "../ui/dialog";
import { Field, Form, mistakeIn } from "../ui/form";
import { useLocale } from "../ui/locale";
import { Button } from "../ui/parts";
import { ProblemText } from "../ui/problem";

const RENAME = graphql(`
  mutation RenameAccount($id: ID!, $name: String!) { renameAccount(id: $id, name: $name) { ... on Account { id name } ...Rejection } }
`);
export const FREEZE = graphql(`
  mutation FreezeAccount($id: ID!, $reason: String) {
    freezeAccount(id: $id, reason: $reason) { ... on Account { id status freezeReason } ...Rejection }
  }
`);
export const UNFREEZE = graphql(`
  mutation UnfreezeAccount($id: ID!) { unfreezeAccount(id: $id) { ... on Account { id status freezeReason } ...Rejection } }
`);
const CLOSE = graphql(`
  mutation CloseAccount($id: ID!) { closeAccount(id: $id) { ... on Account { id status closedAt } ...Rejection } }
`);

type Account = Pick<NonNullable<AccountQuery["account"]>, "id" | "name" | "status" | "currency">;
type Props = { account: Account; action: string | null; setAction: (action: string | null) => void };

export function AccountActions({ account, action, setAction }: Props) {
  const { t } = useLocale();
  const { isSandbox } = useBank();
  const freeze = useAction(FREEZE);
  const unfreeze = useAction(UNFREEZE);
  const close = () => setAction(null);
  return (
    <>
      <div className="actions">
        {account.status !== "CLOSED" && <Button onClick={() => setAction("rename")}>{t("account.rename")}</Button>}
        {account.status === "ACTIVE" && <Button busy={freeze.isRunning} onClick={() => void freeze.run({ id: account.id })}>{t("account.freeze")}</Button>}
        {account.status === "FROZEN" && <Button busy={unfreeze.isRunning} onClick={() => void unfreeze.run({ id: account.id })}>{t("account.unfreeze")}</Button>}
        {isSandbox && account.status !== "CLOSED" && <Button onClick={() => setAction("deposit")}>{t("deposit.do")}</Button>}
      </div>
      {[freeze, unfreeze].map(({ problem }, index) => problem && <ProblemText key={index} problem={problem} />)}
      {action === "rename" && <Rename account={account} onClose={close} />}
      {action === "deposit" && <Deposit account={account} onClose={close} />}
      {action === "close" && <Close account={account} onClose={close} />}
    </>
  );
}

type DialogProps = { account: Account; onClose: () => void };

function Rename({ account, onClose }: DialogProps) {
  const { t } = useLocale();
  const [name, setName] = useState(account.name);
  const { run, isRunning, problem } = useAction(RENAME);
  return (
    <Dialog title={t("account.rename")} onClose={onClose}>
      <Form label={t("save")} busy={isRunning} problem={problem} onCancel={onClose} onSubmit={async () => (await run({ id: account.id, name })) && onClose()}>
        <Field label={t("openAccount.name")} value={name} required maxLength={100} onChange={(event) => setName(event.target.value)} mistake={mistakeIn(problem, "name")} />
      </Form>
    </Dialog>
  );
}

function Deposit({ account, onClose }: DialogProps) {
  const { t, parse, money } = useLocale();
  const [text, setText] = useState("");
  const { progress, submit } = useIntent("deposit");
  const amount = parse(text, account.currency);
  return (
    <Dialog title={t("deposit.title")} onClose={onClose}>
      {progress.at === "done" && progress.answer.__typename === "MoneyMoved" ? (
        <>
          <p role="status">{t("deposit.done", { amount: money(progress.answer.transaction.amount) })}</p>
          <div className="actions"><Button kind="primary" onClick={onClose}>{t("close")}</Button></div>
        </>
      ) : (
        <Form
          label={t("deposit.do")} onCancel={onClose} busy={progress.at === "sending" || progress.at === "unanswered"}
          problem={progress.at === "refused" ? progress.problem : null}
          onSubmit={() => amount && submit({ accountId: account.id, amount: { amount, currency: account.currency } })}
        >
          <p>{t("deposit.why")}</p>
          <Field
            label={t("pay.amount", { currency: account.currency })} inputMode="decimal" required value={text}
            mistake={text && !amount ? t("amountMistake", { currency: account.currency }) : null}
            onChange={(event) => setText(event.target.value)}
          />
        </Form>
      )}
    </Dialog>
  );
}

function Close({ account, onClose }: DialogProps) {
  const { t } = useLocale();
  const [, setLocation] = useLocation();
  const close = useAction(CLOSE);
  const confirm = async () => (await close.run({ id: account.id })) && setLocation("/");
  return <Confirm title={t("account.close")} text={t("account.closeWhy", { name: account.name })} action={close} onConfirm={confirm} onClose={onClose} />;
}
