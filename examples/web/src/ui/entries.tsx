// The entries of an account, newest first, and what a search finds.

import { type ReactNode, useDeferredValue, useId, useState } from "react";
import { graphql } from "../gql";
import type { EntriesQuery } from "../gql/graphql";
import { useEvents } from "./feed";
import { useLocale, useWord } from "./locale";
import { More } from "./more";
import { usePaged } from "./paged";
import { Amount, Empty, Failure, Loading, Mark, Section } from "./parts";
import { TransactionDialog } from "./transaction";

const ENTRIES = graphql(`
  query Entries($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
    account(id: $id) {
      id
      entries(first: $first, after: $after, last: $last, before: $before) {
        nodes {
          id bookedAt
          amount { amount currency } balanceAfter { amount currency } counterparty { name accountNumber }
          transaction { id kind status description reversedBy { id } merchant { name } }
        }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  }
`);

const SEARCH = graphql(`
  query SearchTransactions($id: ID!, $search: String!, $first: Int, $after: String, $last: Int, $before: String) {
    account(id: $id) {
      id
      transactions(filter: { search: $search }, first: $first, after: $after, last: $last, before: $before) {
        nodes { id kind status description createdAt amount { amount currency } from { name } to { name } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  }
`);

/** `actions` are what else can be done with a transaction; they call `done` to close it. */
type Props = { accountId: string; actions?: (transactionId: string, done: () => void) => ReactNode };

export function Entries({ accountId, actions }: Props) {
  const { t } = useLocale();
  const id = useId();
  const [text, setText] = useState("");
  const [shown, setShown] = useState<string | null>(null);
  const search = useDeferredValue(text.trim());
  const field = (
    <span className="search">
      <label htmlFor={id}>{t("search")}</label>
      <input id={id} type="search" value={text} placeholder={t("entries.search")} onChange={(event) => setText(event.target.value)} />
    </span>
  );
  return (
    <Section title={t("entries.title")} aside={field}>
      {search ? <Found accountId={accountId} search={search} onShow={setShown} /> : <Booked accountId={accountId} onShow={setShown} />}
      {shown && (
        <TransactionDialog id={shown} onClose={() => setShown(null)}>{actions?.(shown, () => setShown(null))}</TransactionDialog>
      )}
    </Section>
  );
}

type Entry = NonNullable<EntriesQuery["account"]>["entries"]["nodes"][number];
type Show = { onShow: (transactionId: string) => void };

function Booked({ accountId, onShow }: { accountId: string } & Show) {
  const { t, day } = useLocale();
  const { nodes, hasMore, isBusy, hasFailed, reload, more, newer } = usePaged(ENTRIES, { id: accountId }, (data) => data.account?.entries);
  useEvents((event) => {
    if (event === null) void reload();
    else if (event.account.id === accountId) void (event.kind === "REVERSED" ? reload() : newer());
  });
  if (!nodes) return hasFailed ? <Failure retry={() => void reload()} /> : <Loading />;
  if (nodes.length === 0) return <Empty>{t("entries.none")}</Empty>;
  const days = Map.groupBy(nodes, ({ bookedAt }) => day(bookedAt));
  return (
    <>
      {[...days].map(([name, entries]) => (
        <section key={name} aria-label={name}>
          <h3>{name}</h3>
          <ul className="rows">{entries.map((entry) => <EntryRow key={entry.id} entry={entry} onShow={onShow} />)}</ul>
        </section>
      ))}
      <More has={hasMore} busy={isBusy} load={() => void more()} />
    </>
  );
}

function EntryRow({ entry, onShow }: { entry: Entry } & Show) {
  const { t } = useLocale();
  const word = useWord();
  const { transaction, counterparty } = entry;
  return (
    <li>
      <button type="button" className="row" onClick={() => onShow(transaction.id)}>
        <span>
          <strong>{transaction.merchant?.name ?? counterparty.name}</strong>{" "}
          {transaction.reversedBy && <span className="mark">{t("entries.reversed")}</span>}
          <small>{word("transactionKind", transaction.kind)}{transaction.description && ` · ${transaction.description}`}</small>
        </span>
        <span className="figures">
          <Amount of={entry.amount} signed />
          <small><span className="hidden">{t("entries.balance")} </span><Amount of={entry.balanceAfter} /></small>
        </span>
      </button>
    </li>
  );
}

function Found({ accountId, search, onShow }: { accountId: string; search: string } & Show) {
  const { t, day } = useLocale();
  const word = useWord();
  const { nodes, hasMore, isBusy, hasFailed, reload, more } = usePaged(SEARCH, { id: accountId, search }, (data) => data.account?.transactions);
  if (!nodes) return hasFailed ? <Failure retry={() => void reload()} /> : <Loading />;
  if (nodes.length === 0) return <Empty>{t("entries.notFound", { search })}</Empty>;
  return (
    <>
      <ul className="rows">
        {nodes.map((each) => (
          <li key={each.id}>
            <button type="button" className="row" onClick={() => onShow(each.id)}>
              <span>
                <strong>{each.description ?? word("transactionKind", each.kind)}</strong>{" "}
                {each.status !== "POSTED" && <Mark group="transactionStatus" value={each.status} />}
                <small>{each.from.name} → {each.to.name}</small>
              </span>
              <span className="figures"><Amount of={each.amount} /><small>{day(each.createdAt)}</small></span>
            </button>
          </li>
        ))}
      </ul>
      <More has={hasMore} busy={isBusy} load={() => void more()} />
    </>
  );
}
