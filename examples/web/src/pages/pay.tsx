// A transfer in three steps: say what, see what would happen, and pay. It is paid once, whatever happens on the way.

import { useEffect, useRef, useState } from "react";
import { graphql } from "../gql";
import type { PreviewMutation, TransferInput, VerifyPayeeMutation } from "../gql/graphql";
import { useAction, useIntent } from "../ui/actions";
import { type Chosen, DestinationFields, destinationOf, NOTHING, offered, type OwnAccount, type Payee, useChoices } from "../ui/destination";
import { Field, Form, mistakeIn, Select } from "../ui/form";
import { useLocale, useWord } from "../ui/locale";
import { Amount, Button, ButtonLink, Copyable, Empty, Failure, grouped, Loading, Mark, Page } from "../ui/parts";
import { ProblemText } from "../ui/problem";

const VERIFY = graphql(`
  mutation VerifyPayee($accountNumber: String!, $name: String!) {
    verifyPayee(accountNumber: $accountNumber, name: $name) { ... on PayeeVerification { match actualName token } ...Rejection }
  }
`);
const PREVIEW = graphql(`
  mutation Preview($input: TransferInput!) {
    transfer(input: $input) {
      ... on MoneyPreview {
        amount { amount currency } fromAvailableAfter { amount currency } fee { amount currency } settlesOn
      }
      ...Rejection
    }
  }
`);

type Preview = Extract<PreviewMutation["transfer"], { __typename: "MoneyPreview" }>;
type Verified = Extract<VerifyPayeeMutation["verifyPayee"], { __typename: "PayeeVerification" }>;
type Planned = { input: Omit<TransferInput, "idempotencyKey">; preview: Preview; verified: Verified | null };

/** `what` is `from` with an account, or `to` with a payee: what to begin with. */
export default function Pay({ what, id }: { what?: string; id?: string }) {
  const { t } = useLocale();
  const { accounts, payees, error, retry } = useChoices();
  const payers = accounts?.filter(({ status }) => status === "ACTIVE");
  return (
    <Page title={t("pay.title")}>
      {!payers && (error ? <Failure retry={retry} /> : <Loading />)}
      {payers?.length === 0 && <Empty>{t("pay.noAccount")}</Empty>}
      {payers && payers.length > 0 && <Steps accounts={payers} payees={payees} from={what === "from" ? id : undefined} to={what === "to" ? id : undefined} />}
    </Page>
  );
}

type StepsProps = { accounts: OwnAccount[]; payees: Payee[]; from: string | undefined; to: string | undefined };

function Steps({ accounts, payees, from, to }: StepsProps) {
  const [edited, setGiven] = useState({
    from: accounts.find(({ id }) => id === from)?.id ?? accounts[0]?.id ?? "",
    chosen: { ...NOTHING, to: to ? `payee/${to}` : NOTHING.to },
    amount: "",
    description: "",
  });
  const given = { ...edited, chosen: offered(edited.chosen, edited.from, accounts, payees) };
  const [planned, setPlanned] = useState<Planned | null>(null);
  if (!planned) return <Plan accounts={accounts} payees={payees} given={given} onChange={setGiven} onPlan={setPlanned} />;
  const toName = nameOf(given.chosen, accounts, payees);
  const again = () => {
    setGiven({ ...given, chosen: NOTHING, amount: "", description: "" });
    setPlanned(null);
  };
  return <Review planned={planned} from={accounts.find(({ id }) => id === given.from)} toName={toName} onBack={() => setPlanned(null)} onAgain={again} />;
}

type Given = { from: string; chosen: Chosen; amount: string; description: string };
type PlanProps = { accounts: OwnAccount[]; payees: Payee[]; given: Given; onChange: (given: Given) => void; onPlan: (planned: Planned) => void };

function Plan({ accounts, payees, given, onChange, onPlan }: PlanProps) {
  const { t, parse, money } = useLocale();
  const verify = useAction(VERIFY);
  const preview = useAction(PREVIEW);
  const from = accounts.find(({ id }) => id === given.from);
  const currency = from?.currency ?? "EUR";
  const amount = parse(given.amount, currency);
  const problem = verify.problem ?? preview.problem;

  async function plan() {
    if (!from || !amount) return;
    let verified: Verified | null = null;
    if (given.chosen.to === "new") {
      const answer = await verify.run({ accountNumber: given.chosen.number, name: given.chosen.name });
      if (!answer) return;
      if (answer.__typename === "PayeeVerification") verified = answer;
    }
    const input = {
      fromAccountId: from.id,
      to: destinationOf(given.chosen),
      amount: { amount, currency },
      description: given.description || undefined,
      payeeVerification: verified?.token,
    };
    const answer = await preview.run({ input: { ...input, dryRun: true, idempotencyKey: "preview" } });
    if (answer?.__typename === "MoneyPreview") onPlan({ input, preview: answer, verified });
  }
  return (
    <div className="card">
      <Form label={t("pay.continue")} busy={verify.isRunning || preview.isRunning} problem={problem} onSubmit={() => void plan()}>
        <Select label={t("pay.from")} value={given.from} onChange={(event) => onChange({ ...given, from: event.target.value })}>
          {accounts.map(({ id, name, balance }) => <option key={id} value={id}>{name} · {money(balance.available)}</option>)}
        </Select>
        <DestinationFields chosen={given.chosen} onChange={(chosen) => onChange({ ...given, chosen })} accounts={accounts} payees={payees} fromId={given.from} problem={problem} />
        <Field
          label={t("pay.amount", { currency })} inputMode="decimal" required autoComplete="off" value={given.amount}
          mistake={given.amount && !amount ? t("amountMistake", { currency }) : mistakeIn(problem, "amount")}
          onChange={(event) => onChange({ ...given, amount: event.target.value })}
        />
        <Field label={t("pay.description")} maxLength={140} value={given.description} onChange={(event) => onChange({ ...given, description: event.target.value })} mistake={mistakeIn(problem, "description")} />
      </Form>
    </div>
  );
}

type ReviewProps = { planned: Planned; from: OwnAccount | undefined; toName: string; onBack: () => void; onAgain: () => void };

function Review({ planned: { input, preview, verified }, from, toName, onBack, onAgain }: ReviewProps) {
  const { t, day } = useLocale();
  const { progress, submit } = useIntent("transfer");
  const isBusy = progress.at === "sending" || progress.at === "unanswered";
  const isOther = verified?.match === "NO_MATCH";
  const heading = useRef<HTMLHeadingElement>(null);
  const isDone = progress.at === "done";
  useEffect(() => heading.current?.focus(), [isDone]); // the button that had the focus is gone
  if (progress.at === "done" && progress.answer.__typename === "MoneyMoved") {
    const { transaction } = progress.answer;
    return (
      <div className="card" role="status">
        <h2 ref={heading} tabIndex={-1}>{transaction.status === "PENDING" ? t("pay.accepted") : t("pay.done")}</h2>
        <p className="large"><Amount of={transaction.amount} /> <Mark group="transactionStatus" value={transaction.status} /></p>
        <dl className="definitions">
          <div><dt>{t("pay.to")}</dt><dd>{transaction.to.name}</dd></div>
          {transaction.settlesOn && <div><dt>{t("transaction.settles")}</dt><dd>{day(transaction.settlesOn)}</dd></div>}
          <div><dt>{t("transaction.reference")}</dt><dd><Copyable text={transaction.reference} /></dd></div>
        </dl>
        <div className="actions"><ButtonLink to={`/accounts/${from?.id}`}>{t("pay.toAccount")}</ButtonLink><Button onClick={onAgain}>{t("pay.another")}</Button></div>
      </div>
    );
  }
  return (
    <div className="card">
      <h2 ref={heading} tabIndex={-1}>{t("pay.review")}</h2>
      <p className="large"><Amount of={preview.amount} /></p>
      <dl className="definitions">
        <div><dt>{t("pay.from")}</dt><dd>{from?.name} <small>{from && grouped(from.number)}</small></dd></div>
        <div><dt>{t("pay.to")}</dt><dd>{toName}</dd></div>
        {input.description && <div><dt>{t("pay.description")}</dt><dd>{input.description}</dd></div>}
        {preview.fee && <div><dt>{t("pay.fee")}</dt><dd><Amount of={preview.fee} /></dd></div>}
        {preview.settlesOn && <div><dt>{t("transaction.settles")}</dt><dd>{day(preview.settlesOn)}</dd></div>}
        {preview.fromAvailableAfter && <div><dt>{t("pay.after")}</dt><dd><Amount of={preview.fromAvailableAfter} /></dd></div>}
      </dl>
      {verified && <Match verified={verified} />}
      {progress.at === "unanswered" && <p className="notice unanswered" role="status">{t("pay.unanswered")}</p>}
      {progress.at === "elsewhere" && <p className="notice" role="status">{t("unsettled.elsewhere")}</p>}
      {progress.at === "refused" && <ProblemText problem={progress.problem} />}
      <div className="actions">
        {(progress.at === "start" || isBusy) && <Button kind={isOther ? "danger" : "primary"} busy={isBusy} onClick={() => submit(input)}>{isOther ? t("pay.anyway") : t("pay.do")}</Button>}
        {!isBusy && <Button onClick={onBack}>{t("pay.change")}</Button>}
      </div>
    </div>
  );
}

function Match({ verified: { match, actualName } }: { verified: Verified }) {
  const { t } = useLocale();
  const word = useWord();
  return (
    <p className={`notice match ${match.toLowerCase()}`} role="status">
      {word("payeeMatch", match)} {actualName && t("pay.actualName", { name: actualName })}
    </p>
  );
}

function nameOf({ to, name, number }: Chosen, accounts: OwnAccount[], payees: Payee[]): string {
  const own = accounts.find(({ id }) => to === `account/${id}`);
  const payee = payees.find(({ id }) => to === `payee/${id}`);
  const chosen = own ?? (payee ? { name: payee.name, number: payee.accountNumber } : { name, number });
  return `${chosen.name} · ${grouped(chosen.number.replaceAll(" ", ""))}`;
}
