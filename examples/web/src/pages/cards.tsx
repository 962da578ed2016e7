// Cards: issue, freeze, limit, reveal, cancel.

import { useState } from "react";
import { useQuery } from "urql";
import { graphql } from "../gql";
import type { CardForm, CardsQuery } from "../gql/graphql";
import { useAction, useIntent } from "../ui/actions";
import { useChoices } from "../ui/destination";
import { Dialog } from "../ui/dialog";
import { Form, Select } from "../ui/form";
import { useLocale, useWord } from "../ui/locale";
import { Amount, Button, Empty, Failure, Loading, Mark, Page } from "../ui/parts";
import { ProblemText } from "../ui/problem";
import { CancelDialog, LimitsDialog, RevealDialog } from "./card-dialogs";

const CARDS = graphql(`
  query Cards {
    me {
      id
      cards(first: 50) {
        nodes {
          id kind form status frozenBy holderName last4 expiryMonth expiryYear
          account { id name currency }
          limits { window amount { amount currency } spent { amount currency } remaining { amount currency } }
        }
      }
    }
  }
`);
const FREEZE = graphql(`
  mutation FreezeCard($id: ID!) { freezeCard(id: $id) { ... on Card { id status frozenBy } ...Rejection } }
`);
const UNFREEZE = graphql(`
  mutation UnfreezeCard($id: ID!) { unfreezeCard(id: $id) { ... on Card { id status frozenBy } ...Rejection } }
`);
const ACTIVATE = graphql(`
  mutation ActivateCard($id: ID!) { activateCard(id: $id) { ... on Card { id status } ...Rejection } }
`);

export type CardData = NonNullable<CardsQuery["me"]>["cards"]["nodes"][number];
type Shown = { card: CardData; dialog: "reveal" | "limits" | "cancel" };

export default function Cards() {
  const { t } = useLocale();
  const [isIssuing, setIssuing] = useState(false);
  const [shown, setShown] = useState<Shown | null>(null);
  const [{ data, error }, again] = useQuery({ query: CARDS });
  const found = data?.me?.cards.nodes.filter(({ status }) => status !== "CANCELLED");
  const close = () => setShown(null);
  return (
    <Page title={t("nav.cards")} aside={<Button kind="primary" onClick={() => setIssuing(true)}>{t("cards.issue")}</Button>}>
      {!found && (error ? <Failure retry={() => again({ requestPolicy: "network-only" })} /> : <Loading />)}
      {found?.length === 0 && <Empty>{t("cards.none")}</Empty>}
      <div className="grid">{found?.map((card) => <CardTile key={card.id} card={card} onShow={(dialog) => setShown({ card, dialog })} />)}</div>
      {isIssuing && <IssueDialog onClose={() => setIssuing(false)} />}
      {shown?.dialog === "reveal" && <RevealDialog card={shown.card} onClose={close} />}
      {shown?.dialog === "limits" && <LimitsDialog card={shown.card} onClose={close} />}
      {shown?.dialog === "cancel" && <CancelDialog card={shown.card} onClose={close} />}
    </Page>
  );
}

function CardTile({ card, onShow }: { card: CardData; onShow: (dialog: Shown["dialog"]) => void }) {
  const { t } = useLocale();
  const word = useWord();
  const freeze = useAction(FREEZE);
  const unfreeze = useAction(UNFREEZE);
  const activate = useAction(ACTIVATE);
  const problem = freeze.problem ?? unfreeze.problem ?? activate.problem;
  const expiry = `${String(card.expiryMonth).padStart(2, "0")}/${card.expiryYear % 100}`;
  return (
    <section className="card" aria-label={t("cards.name", { last4: card.last4 })}>
      <div className={`plastic ${card.status.toLowerCase()}`}>
        <span>{word("cardKind", card.kind)} · {word("cardForm", card.form)}</span>
        <span className="number">•••• •••• •••• {card.last4}</span>
        <span>{card.holderName} · {expiry}</span>
      </div>
      <p><Mark group="cardStatus" value={card.status} /> {card.account.name}</p>
      {card.limits.length > 0 && (
        <dl className="definitions">
          {card.limits.map(({ window, amount, remaining }) => (
            <div key={window}><dt>{word("limitWindow", window)}</dt><dd><Amount of={amount} /> <small>{t("cards.remaining")} <Amount of={remaining} /></small></dd></div>
          ))}
        </dl>
      )}
      {problem && <ProblemText problem={problem} />}
      <div className="actions">
        {card.status === "INACTIVE" && <Button busy={activate.isRunning} onClick={() => void activate.run({ id: card.id })}>{t("cards.activate")}</Button>}
        {/* Not busy while it runs: the new status shows at once, and goes again if the bank refuses. */}
        {card.status === "ACTIVE" && <Button onClick={() => void freeze.run({ id: card.id })}>{t("cards.freeze")}</Button>}
        {card.status === "FROZEN" && <Button onClick={() => void unfreeze.run({ id: card.id })}>{t("cards.unfreeze")}</Button>}
        {(card.status === "ACTIVE" || card.status === "FROZEN") && <Button onClick={() => onShow("reveal")}>{t("cards.reveal")}</Button>}
        <Button onClick={() => onShow("limits")}>{t("cards.limits")}</Button>
        <Button kind="danger" onClick={() => onShow("cancel")}>{t("cards.cancel")}</Button>
      </div>
    </section>
  );
}

function IssueDialog({ onClose }: { onClose: () => void }) {
  const { t } = useLocale();
  const word = useWord();
  const { accounts, error, retry } = useChoices();
  const { progress, submit } = useIntent("issueCard");
  const [given, setGiven] = useState({ accountId: "", form: "VIRTUAL" as CardForm });
  const usable = accounts?.filter(({ status }) => status === "ACTIVE");
  const account = usable?.find(({ id }) => id === given.accountId) ?? usable?.[0];
  if (!account) {
    return <Dialog title={t("cards.issue")} onClose={onClose}>{error ? <Failure retry={retry} /> : usable ? <Empty>{t("pay.noAccount")}</Empty> : <Loading />}</Dialog>;
  }
  return (
    <Dialog title={t("cards.issue")} onClose={onClose}>
      {progress.at === "done" && progress.answer.__typename === "Card" ? (
        <>
          <p role="status">{t("cards.issued", { last4: progress.answer.last4 })}</p>
          <div className="actions"><Button kind="primary" onClick={onClose}>{t("close")}</Button></div>
        </>
      ) : (
        <Form
          label={t("cards.issue")} busy={progress.at === "sending" || progress.at === "unanswered"} onCancel={onClose}
          problem={progress.at === "refused" ? progress.problem : null}
          onSubmit={() => submit({ accountId: account.id, kind: account.kind === "CREDIT" ? "CREDIT" : "DEBIT", form: given.form })}
        >
          <Select label={t("cards.account")} value={account.id} onChange={(event) => setGiven({ ...given, accountId: event.target.value })}>
            {usable?.map(({ id, name }) => <option key={id} value={id}>{name}</option>)}
          </Select>
          <Select label={t("cards.form")} value={given.form} onChange={(event) => setGiven({ ...given, form: event.target.value as CardForm })}>
            {(["VIRTUAL", "PHYSICAL"] as const).map((form) => <option key={form} value={form}>{word("cardForm", form)}</option>)}
          </Select>
        </Form>
      )}
    </Dialog>
  );
}
