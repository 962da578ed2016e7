// What can be done with one card, each in a dialog.

import { useEffect, useState } from "react";
import { graphql } from "../gql";
import type { LimitWindow, RevealCardMutation } from "../gql/graphql";
import { useAction } from "../ui/actions";
import { Confirm, Dialog } from "../ui/dialog";
import { Field, Form } from "../ui/form";
import { useLocale, useWord } from "../ui/locale";
import { Button, grouped } from "../ui/parts";
import type { CardData } from "./cards";

const REVEAL = graphql(`
  mutation RevealCard($id: ID!, $password: String!) {
    revealCard(id: $id, password: $password) { ... on CardSecrets { number securityCode expiresAt } ...Rejection }
  }
`);
const SET_LIMITS = graphql(`
  mutation SetCardLimits($id: ID!, $limits: [SpendingLimitInput!]!) {
    setCardLimits(id: $id, limits: $limits) {
      ... on Card { id limits { window amount { amount currency } spent { amount currency } remaining { amount currency } } }
      ...Rejection
    }
  }
`);
const CANCEL = graphql(`
  mutation CancelCard($id: ID!) { cancelCard(id: $id) { ... on Card { id status } ...Rejection } }
`);

type Props = { card: CardData; onClose: () => void };
type Secrets = Extract<RevealCardMutation["revealCard"], { __typename: "CardSecrets" }>;

const SHOWN_MILLISECONDS = 60_000;

export function RevealDialog({ card, onClose }: Props) {
  const { t } = useLocale();
  const [password, setPassword] = useState("");
  const [secrets, setSecrets] = useState<Secrets | null>(null);
  const { run, isRunning, problem } = useAction(REVEAL);
  useEffect(() => {
    if (!secrets) return;
    const timer = setTimeout(onClose, SHOWN_MILLISECONDS);
    return () => clearTimeout(timer);
  }, [secrets, onClose]);
  async function reveal() {
    const answer = await run({ id: card.id, password });
    if (answer?.__typename === "CardSecrets") setSecrets(answer);
  }
  return (
    <Dialog title={t("cards.reveal")} onClose={onClose}>
      {secrets ? (
        <>
          <dl className="definitions">
            <div><dt>{t("cards.number")}</dt><dd><code>{grouped(secrets.number)}</code></dd></div>
            <div><dt>{t("cards.code")}</dt><dd><code>{secrets.securityCode}</code></dd></div>
          </dl>
          <p>{t("cards.shownFor")}</p>
          <div className="actions"><Button kind="primary" onClick={onClose}>{t("close")}</Button></div>
        </>
      ) : (
        <Form label={t("cards.reveal")} busy={isRunning} problem={problem} onCancel={onClose} onSubmit={() => void reveal()}>
          <Field label={t("signIn.password")} type="password" required autoComplete="current-password" value={password} onChange={(event) => setPassword(event.target.value)} />
        </Form>
      )}
    </Dialog>
  );
}

const WINDOWS: LimitWindow[] = ["TRANSACTION", "DAY", "WEEK", "MONTH"];

export function LimitsDialog({ card, onClose }: Props) {
  const { t, parse, editable } = useLocale();
  const word = useWord();
  const { currency } = card.account;
  const [given, setGiven] = useState<Partial<Record<LimitWindow, string>>>(() =>
    Object.fromEntries(card.limits.map(({ window, amount }) => [window, editable(amount)])),
  );
  const { run, isRunning, problem } = useAction(SET_LIMITS);
  const textOf = (window: LimitWindow) => given[window] ?? "";
  const isWrong = (window: LimitWindow) => textOf(window) !== "" && parse(textOf(window), currency) === null;
  async function save() {
    if (WINDOWS.some(isWrong)) return;
    const limits = WINDOWS.flatMap((window) => {
      const amount = textOf(window) && parse(textOf(window), currency);
      return amount ? [{ window, amount: { amount, currency } }] : [];
    });
    if (await run({ id: card.id, limits })) onClose();
  }
  return (
    <Dialog title={t("cards.limits")} onClose={onClose}>
      <Form label={t("save")} busy={isRunning} problem={problem} onCancel={onClose} onSubmit={() => void save()}>
        <p>{t("cards.limitHint")}</p>
        {WINDOWS.map((window) => (
          <Field
            key={window} label={`${word("limitWindow", window)} (${currency})`} inputMode="decimal" value={textOf(window)}
            mistake={isWrong(window) ? t("amountMistake", { currency }) : null}
            onChange={(event) => setGiven({ ...given, [window]: event.target.value })}
          />
        ))}
      </Form>
    </Dialog>
  );
}

export function CancelDialog({ card, onClose }: Props) {
  const { t } = useLocale();
  const cancel = useAction(CANCEL);
  const confirm = async () => (await cancel.run({ id: card.id })) && onClose();
  return <Confirm title={t("cards.cancel")} text={t("cards.cancelWhy", { last4: card.last4 })} action={cancel} onConfirm={confirm} onClose={onClose} />;
}
