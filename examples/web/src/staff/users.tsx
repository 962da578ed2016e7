// Find a customer by name or address, or an account by its number.

import { useDeferredValue, useState } from "react";
import { useClient } from "urql";
import { Link, useLocation } from "wouter";
import { graphql } from "../gql";
import { Field, Form } from "../ui/form";
import { useLocale, useWord } from "../ui/locale";
import { More } from "../ui/more";
import { usePaged } from "../ui/paged";
import { Empty, Failure, Loading, Mark, Page, Section } from "../ui/parts";

const USERS = graphql(`
  query Users($search: String, $first: Int, $after: String, $last: Int, $before: String) {
    users(search: $search, first: $first, after: $after, last: $last, before: $before) {
      nodes { id fullName email role status }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
`);
const BY_NUMBER = graphql(`
  query AccountByNumber($number: String!) { accountByNumber(number: $number) { id } }
`);

export function Users() {
  const { t } = useLocale();
  const word = useWord();
  const [text, setText] = useState("");
  const search = useDeferredValue(text.trim());
  const { nodes, hasMore, isBusy, hasFailed, reload, more } = usePaged(USERS, { search: search || null }, (data) => data.users);
  return (
    <Page title={t("staff.users")}>
      <FindAccount />
      <Section title={t("staff.customers")}>
        <Field label={t("staff.search")} type="search" value={text} onChange={(event) => setText(event.target.value)} />
        {!nodes && (hasFailed ? <Failure retry={() => void reload()} /> : <Loading />)}
        {nodes?.length === 0 && <Empty>{t("staff.nobody")}</Empty>}
        <ul className="rows">
          {nodes?.map(({ id, fullName, email, role, status }) => (
            <li key={id}>
              <Link href={`/staff/users/${id}`} className="row">
                <span><strong>{fullName}</strong><small>{email}</small></span>
                <span>{role !== "CUSTOMER" && <span className="mark">{word("role", role)}</span>} {status !== "ACTIVE" && <Mark group="userStatus" value={status} />}</span>
              </Link>
            </li>
          ))}
        </ul>
        <More has={hasMore} busy={isBusy} load={() => void more()} />
      </Section>
    </Page>
  );
}

function FindAccount() {
  const { t } = useLocale();
  const client = useClient();
  const [, setLocation] = useLocation();
  const [number, setNumber] = useState("");
  const [state, setState] = useState<"idle" | "busy" | "missing" | "failed">("idle");
  async function find() {
    setState("busy");
    const { data } = await client.query(BY_NUMBER, { number }, { requestPolicy: "network-only" }).toPromise();
    if (data?.accountByNumber) setLocation(`/staff/accounts/${data.accountByNumber.id}`);
    else setState(data ? "missing" : "failed");
  }
  return (
    <Section title={t("staff.findAccount")}>
      <Form label={t("staff.find")} busy={state === "busy"} onSubmit={() => void find()}>
        <Field
          label={t("account.number")} required spellCheck={false} value={number}
          mistake={state === "missing" ? t("rejection.notFound") : state === "failed" ? t("problem.unread") : null}
          onChange={(event) => setNumber(event.target.value)}
        />
      </Form>
    </Section>
  );
}
