// Saved payees: whom one pays again.

import { useState } from "react";
import { useQuery } from "urql";
import { graphql } from "../gql";
import { useAction } from "../ui/actions";
import { Dialog } from "../ui/dialog";
import { Field, Form, mistakeIn } from "../ui/form";
import { useLocale } from "../ui/locale";
import { Button, ButtonLink, Empty, Failure, grouped, Loading, Page } from "../ui/parts";
import { ProblemText } from "../ui/problem";

const PAYEES = graphql(`
  query Payees($search: String) { payees(search: $search, first: 100) { nodes { id name accountNumber } } }
`);
const ADD = graphql(`
  mutation AddPayee($name: String!, $accountNumber: String!) {
    addPayee(name: $name, accountNumber: $accountNumber) { ... on Payee { id name accountNumber } ...Rejection }
  }
`);
const RENAME = graphql(`
  mutation RenamePayee($id: ID!, $name: String!) { renamePayee(id: $id, name: $name) { ... on Payee { id name } ...Rejection } }
`);
const REMOVE = graphql(`
  mutation RemovePayee($id: ID!) { removePayee(id: $id) { ... on Payee { id } ...Rejection } }
`);

export default function Payees() {
  const { t } = useLocale();
  const [search, setSearch] = useState("");
  const [editing, setEditing] = useState<{ id?: string; name: string } | null>(null);
  const [{ data, error }, again] = useQuery({ query: PAYEES, variables: { search: search || null } });
  const remove = useAction(REMOVE);
  const found = data?.payees?.nodes;
  return (
    <Page title={t("nav.payees")} aside={<Button kind="primary" onClick={() => setEditing({ name: "" })}>{t("payees.add")}</Button>}>
      <div className="card">
        <Field label={t("search")} type="search" value={search} onChange={(event) => setSearch(event.target.value)} />
        {remove.problem && <ProblemText problem={remove.problem} />}
        {!found && (error ? <Failure retry={() => again({ requestPolicy: "network-only" })} /> : <Loading />)}
        {found?.length === 0 && <Empty>{search ? t("entries.notFound", { search }) : t("payees.none")}</Empty>}
        <ul className="rows">
          {found?.map(({ id, name, accountNumber }) => (
            <li key={id} className="row">
              <span><strong>{name}</strong><small>{grouped(accountNumber)}</small></span>
              <span className="actions">
                <ButtonLink kind="small" to={`/pay/to/${id}`}>{t("pay.do")}</ButtonLink>
                <Button className="small" aria-label={`${t("rename")}: ${name}`} onClick={() => setEditing({ id, name })}>{t("rename")}</Button>
                <Button className="small danger" aria-label={`${t("remove")}: ${name}`} onClick={() => void remove.run({ id })}>{t("remove")}</Button>
              </span>
            </li>
          ))}
        </ul>
      </div>
      {editing && <PayeeDialog id={editing.id} name={editing.name} onClose={() => setEditing(null)} />}
    </Page>
  );
}

function PayeeDialog({ id, name, onClose }: { id?: string; name: string; onClose: () => void }) {
  const { t } = useLocale();
  const [given, setGiven] = useState({ name, accountNumber: "" });
  const add = useAction(ADD);
  const rename = useAction(RENAME);
  const problem = add.problem ?? rename.problem;
  const title = id ? t("payees.rename") : t("payees.add");
  const save = async () => {
    if (await (id ? rename.run({ id, name: given.name }) : add.run(given))) onClose();
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <Form label={t("save")} busy={add.isRunning || rename.isRunning} problem={problem} onCancel={onClose} onSubmit={() => void save()}>
        <Field label={t("pay.payeeName")} required maxLength={140} value={given.name} onChange={(event) => setGiven({ ...given, name: event.target.value })} mistake={mistakeIn(problem, "name")} />
        {!id && <Field label={t("pay.payeeNumber")} required spellCheck={false} value={given.accountNumber} onChange={(event) => setGiven({ ...given, accountNumber: event.target.value })} mistake={mistakeIn(problem, "accountNumber")} />}
      </Form>
    </Dialog>
  );
}
