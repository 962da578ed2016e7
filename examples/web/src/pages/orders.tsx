// Standing orders: transfers that the bank makes on the dates of a rule.

import { useState } from "react";
import { useQuery } from "urql";
import { graphql } from "../gql";
import type { OrdersQuery, Sweep } from "../gql/graphql";
import { useAction, useIntent } from "../ui/actions";
import { useBank } from "../ui/bank";
import { type Chosen, DestinationFields, destinationOf, NOTHING, offered, useChoices } from "../ui/destination";
import { Confirm, Dialog } from "../ui/dialog";
import { useEvents } from "../ui/feed";
import { Field, Form, mistakeIn, Select } from "../ui/form";
import { useLocale, useWord } from "../ui/locale";
import { Amount, Button, Empty, Failure, grouped, Loading, Mark, Page } from "../ui/parts";
import { ProblemText, useExplain } from "../ui/problem";

const ORDERS = graphql(`
  query Orders {
    scheduledTransfers(first: 50) {
      nodes {
        id description recurrence startsOn status sweep nextRunOn nextRuns(first: 5) toAccountNumber
        amount { amount currency } from { id name } payee { id name }
        runs(first: 5) { nodes { plannedFor ranAt status attempts transaction { id amount { amount currency } } rejection { ...Rejection } } }
      }
    }
  }
`);
const PAUSE = graphql(`
  mutation PauseOrder($id: ID!) {
    pauseScheduledTransfer(id: $id) { ... on ScheduledTransfer { id status nextRunOn nextRuns(first: 5) } ...Rejection }
  }
`);
const RESUME = graphql(`
  mutation ResumeOrder($id: ID!) {
    resumeScheduledTransfer(id: $id) { ... on ScheduledTransfer { id status nextRunOn nextRuns(first: 5) } ...Rejection }
  }
`);
const CANCEL = graphql(`
  mutation CancelOrder($id: ID!) {
    cancelScheduledTransfer(id: $id) { ... on ScheduledTransfer { id status nextRunOn nextRuns(first: 5) } ...Rejection }
  }
`);

export default function Orders() {
  const { t } = useLocale();
  const [isNew, setNew] = useState(false);
  const [{ data, error }, again] = useQuery({ query: ORDERS });
  useEvents(() => again({ requestPolicy: "network-only" })); // it may be of one of them
  const found = data?.scheduledTransfers?.nodes;
  return (
    <Page title={t("nav.orders")} aside={<Button kind="primary" onClick={() => setNew(true)}>{t("orders.new")}</Button>}>
      {!found && (error ? <Failure retry={() => again({ requestPolicy: "network-only" })} /> : <Loading />)}
      {found?.length === 0 && <Empty>{t("orders.none")}</Empty>}
      {found?.map((order) => <OrderCard key={order.id} order={order} />)}
      {isNew && <NewOrder onClose={() => setNew(false)} />}
    </Page>
  );
}

type Order = NonNullable<OrdersQuery["scheduledTransfers"]>["nodes"][number];

function OrderCard({ order }: { order: Order }) {
  const { t, day } = useLocale();
  const word = useWord();
  const explain = useExplain();
  const pause = useAction(PAUSE);
  const resume = useAction(RESUME);
  const cancel = useAction(CANCEL);
  const problem = pause.problem ?? resume.problem;
  const [isEnding, setEnding] = useState(false);
  const end = async () => (await cancel.run({ id: order.id })) && setEnding(false);
  const title = order.description ?? order.payee?.name ?? grouped(order.toAccountNumber);
  const { runs, nextRuns } = order;
  return (
    <section className="card" aria-label={title}>
      <header>
        <h2>{title}</h2>
        <Mark group="scheduleStatus" value={order.status} />
      </header>
      <dl className="definitions">
        <div><dt>{order.sweep ? word("sweep", order.sweep) : t("pay.amountAlone")}</dt><dd><Amount of={order.amount} /></dd></div>
        <div><dt>{t("pay.from")}</dt><dd>{order.from.name}</dd></div>
        <div><dt>{t("pay.to")}</dt><dd>{order.payee?.name} <small>{grouped(order.toAccountNumber)}</small></dd></div>
        <div><dt>{t("orders.rule")}</dt><dd><Rule rule={order.recurrence} /></dd></div>
        {order.status === "ACTIVE" && nextRuns.length > 0 && <div><dt>{t("orders.next")}</dt><dd>{nextRuns.map(day).join(" · ")}</dd></div>}
      </dl>
      {runs.nodes.length > 0 && (
        <details>
          <summary>{t("orders.history")}</summary>
          <ul className="rows">
            {runs.nodes.map((run) => (
              <li key={run.plannedFor} className="row">
                <span>{day(run.plannedFor)} <Mark group="runStatus" value={run.status} />{run.rejection && <small>{explain(run.rejection)}</small>}</span>
                {run.transaction && <Amount of={run.transaction.amount} />}
              </li>
            ))}
          </ul>
        </details>
      )}
      {problem && <ProblemText problem={problem} />}
      <div className="actions">
        {order.status === "ACTIVE" && <Button busy={pause.isRunning} onClick={() => void pause.run({ id: order.id })}>{t("orders.pause")}</Button>}
        {order.status === "PAUSED" && <Button busy={resume.isRunning} onClick={() => void resume.run({ id: order.id })}>{t("orders.resume")}</Button>}
        {(order.status === "ACTIVE" || order.status === "PAUSED") && <Button kind="danger" onClick={() => setEnding(true)}>{t("orders.cancel")}</Button>}
      </div>
      {isEnding && <Confirm title={t("orders.cancel")} text={t("orders.cancelWhy")} action={cancel} onConfirm={end} onClose={() => setEnding(false)} />}
    </section>
  );
}

const RULES = ["ONCE", "FREQ=DAILY", "FREQ=WEEKLY", "FREQ=WEEKLY;INTERVAL=2", "FREQ=MONTHLY", "FREQ=MONTHLY;INTERVAL=3", "FREQ=YEARLY"];

function Rule({ rule }: { rule: string }) {
  const word = useWord();
  return RULES.includes(rule) ? word("rule", rule) : <code>{rule}</code>;
}

function NewOrder({ onClose }: { onClose: () => void }) {
  const { t, parse, day } = useLocale();
  const word = useWord();
  const { today } = useBank();
  const { accounts, payees, error, retry } = useChoices();
  const { progress, submit } = useIntent("scheduleTransfer");
  const [given, setGiven] = useState({ from: "", chosen: NOTHING as Chosen, amount: "", description: "", rule: "FREQ=MONTHLY", startsOn: today, sweep: "" as Sweep | "" });
  const from = accounts?.find(({ id }) => id === given.from) ?? accounts?.[0];
  const problem = progress.at === "refused" ? progress.problem : null;
  if (!accounts || !from) {
    return <Dialog title={t("orders.new")} onClose={onClose}>{error ? <Failure retry={retry} /> : accounts ? <Empty>{t("pay.noAccount")}</Empty> : <Loading />}</Dialog>;
  }
  if (progress.at === "done" && progress.answer.__typename === "ScheduledTransfer") {
    const { nextRunOn } = progress.answer;
    return (
      <Dialog title={t("orders.new")} onClose={onClose}>
        <p role="status">{nextRunOn ? t("orders.done", { day: day(nextRunOn) }) : t("orders.doneWithout")}</p>
        <div className="actions"><Button kind="primary" onClick={onClose}>{t("close")}</Button></div>
      </Dialog>
    );
  }
  const { currency } = from;
  const amount = parse(given.amount, currency);
  const chosen = offered(given.chosen, from.id, accounts, payees);
  const order = () => amount && submit({
    fromAccountId: from.id,
    to: destinationOf(chosen),
    amount: { amount, currency },
    description: given.description || undefined,
    recurrence: given.rule,
    startsOn: given.startsOn,
    sweep: given.sweep || undefined,
  });
  return (
    <Dialog title={t("orders.new")} onClose={onClose}>
      <Form label={t("orders.create")} busy={progress.at === "sending" || progress.at === "unanswered"} problem={problem} onCancel={onClose} onSubmit={order}>
        <Select label={t("pay.from")} value={from.id} onChange={(event) => setGiven({ ...given, from: event.target.value })}>
          {accounts.map(({ id, name }) => <option key={id} value={id}>{name}</option>)}
        </Select>
        <DestinationFields chosen={chosen} onChange={(chosen) => setGiven({ ...given, chosen })} accounts={accounts} payees={payees} fromId={from.id} problem={problem} />
        <Select label={t("orders.what")} value={given.sweep} onChange={(event) => setGiven({ ...given, sweep: event.target.value as Sweep | "" })}>
          <option value="">{t("orders.fixed")}</option>
          <option value="ABOVE">{word("sweep", "ABOVE")}</option>
          <option value="UP_TO">{word("sweep", "UP_TO")}</option>
        </Select>
        <Field
          label={t("pay.amount", { currency })} inputMode="decimal" required autoComplete="off" value={given.amount}
          mistake={given.amount && !amount ? t("amountMistake", { currency }) : mistakeIn(problem, "amount")}
          onChange={(event) => setGiven({ ...given, amount: event.target.value })}
        />
        <Select label={t("orders.rule")} value={given.rule} onChange={(event) => setGiven({ ...given, rule: event.target.value })}>
          {RULES.map((rule) => <option key={rule} value={rule}>{word("rule", rule)}</option>)}
        </Select>
        <Field label={t("orders.startsOn")} type="date" required min={today} value={given.startsOn} onChange={(event) => setGiven({ ...given, startsOn: event.target.value })} mistake={mistakeIn(problem, "startsOn")} />
        <Field label={t("pay.description")} maxLength={140} value={given.description} onChange={(event) => setGiven({ ...given, description: event.target.value })} mistake={mistakeIn(problem, "description")} />
      </Form>
      {progress.at === "unanswered" && <p className="notice unanswered" role="status">{t("pay.unanswered")}</p>}
    </Dialog>
  );
}
