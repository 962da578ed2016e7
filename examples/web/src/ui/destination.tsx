// Where money goes: an account of one's own, a payee, or any account by its number.

import { useQuery } from "urql";
import { graphql } from "../gql";
import type { TransferDestination } from "../gql/graphql";
import { Field, mistakeIn, Select } from "./form";
import { useLocale } from "./locale";
import type { Problem } from "./actions";
import { grouped } from "./parts";

const CHOICES = graphql(`
  query Choices {
    me {
      id
      accounts(first: 100) { nodes { id name number currency status kind balance { available { amount currency } } } }
    }
    payees(first: 100) { nodes { id name accountNumber } }
  }
`);

export function useChoices() {
  const [{ data, error }, again] = useQuery({ query: CHOICES });
  const accounts = data?.me?.accounts.nodes.filter(({ status }) => status !== "CLOSED") ?? null;
  return { accounts, payees: data?.payees?.nodes ?? [], error, retry: () => again({ requestPolicy: "network-only" }) };
}

export type OwnAccount = NonNullable<ReturnType<typeof useChoices>["accounts"]>[number];
export type Payee = ReturnType<typeof useChoices>["payees"][number];

/** What is chosen: `account/…`, `payee/…`, or `new` with a name and a number. */
export type Chosen = { to: string; name: string; number: string };
export const NOTHING: Chosen = { to: "new", name: "", number: "" };

export function destinationOf({ to, name, number }: Chosen): TransferDestination {
  const [kind, id] = [to.slice(0, to.indexOf("/")), to.slice(to.indexOf("/") + 1)];
  if (kind === "account") return { accountId: id };
  if (kind === "payee") return { payeeId: id };
  return { external: { accountNumber: number, name } };
}

/** The choice if it is one that is offered for this account, or else none. Others write addresses, too. */
export function offered(chosen: Chosen, fromId: string, accounts: OwnAccount[], payees: Payee[]): Chosen {
  const options = [...payees.map(({ id }) => `payee/${id}`), ...payable(fromId, accounts).map(({ id }) => `account/${id}`)];
  return chosen.to === "new" || options.includes(chosen.to) ? chosen : NOTHING;
}

/** The viewer's other accounts in the same currency. */
function payable(fromId: string, accounts: OwnAccount[]): OwnAccount[] {
  const from = accounts.find(({ id }) => id === fromId);
  return accounts.filter(({ id, currency }) => id !== fromId && currency === from?.currency);
}

type Props = {
  chosen: Chosen;
  onChange: (chosen: Chosen) => void;
  accounts: OwnAccount[];
  payees: Payee[];
  fromId: string;
  problem: Problem | null;
};

export function DestinationFields({ chosen, onChange, accounts, payees, fromId, problem }: Props) {
  const { t } = useLocale();
  const own = payable(fromId, accounts);
  return (
    <>
      <Select label={t("pay.to")} value={chosen.to} onChange={(event) => onChange({ ...chosen, to: event.target.value })}>
        <option value="new">{t("pay.newPayee")}</option>
        {payees.length > 0 && (
          <optgroup label={t("nav.payees")}>
            {payees.map(({ id, name, accountNumber }) => <option key={id} value={`payee/${id}`}>{name} · {grouped(accountNumber)}</option>)}
          </optgroup>
        )}
        {own.length > 0 && (
          <optgroup label={t("pay.own")}>
            {own.map(({ id, name, number }) => <option key={id} value={`account/${id}`}>{name} · {grouped(number)}</option>)}
          </optgroup>
        )}
      </Select>
      {chosen.to === "new" && (
        <>
          <Field label={t("pay.payeeName")} required maxLength={140} autoComplete="off" value={chosen.name} onChange={(event) => onChange({ ...chosen, name: event.target.value })} mistake={mistakeIn(problem, "name")} />
          <Field label={t("pay.payeeNumber")} required autoComplete="off" spellCheck={false} value={chosen.number} onChange={(event) => onChange({ ...chosen, number: event.target.value })} mistake={mistakeIn(problem, "accountNumber")} />
        </>
      )}
    </>
  );
}
