// One customer: who it is, the accounts, and what administrators may do.

import { useState } from "react";
import { useQuery } from "urql";
import { Link } from "wouter";
import { graphql } from "../gql";
import type { UserRole } from "../gql/graphql";
import { useAction } from "../ui/actions";
import { Dialog } from "../ui/dialog";
import { Field, Form, Select } from "../ui/form";
import { useLocale, useWord } from "../ui/locale";
import { Amount, Button, Empty, Failure, grouped, Loading, Mark, Page, Section } from "../ui/parts";
import { ProblemText } from "../ui/problem";
import { useRights } from "./desk";

const USER = graphql(`
  query DeskUser($id: ID!) {
    node(id: $id) {
      ... on User {
        id fullName email phoneNumber role status suspensionReason mfaEnabled emailVerified createdAt
        accounts(first: 50) { nodes { id name number status balance { booked { amount currency } } } }
        cards(first: 50) { nodes { id last4 status } }
      }
    }
  }
`);
const SUSPEND = graphql(`
  mutation SuspendUser($userId: ID!, $reason: String!) {
    suspendUser(userId: $userId, reason: $reason) { ... on User { id status suspensionReason } ...Rejection }
  }
`);
const REINSTATE = graphql(`
  mutation ReinstateUser($userId: ID!) { reinstateUser(userId: $userId) { ... on User { id status suspensionReason } ...Rejection } }
`);
const SET_ROLE = graphql(`
  mutation SetUserRole($userId: ID!, $role: UserRole!) { setUserRole(userId: $userId, role: $role) { ... on User { id role } ...Rejection } }
`);
const REMOVE_FACTOR = graphql(`
  mutation RemoveSecondFactor($userId: ID!) { removeSecondFactor(userId: $userId) { ... on User { id mfaEnabled } ...Rejection } }
`);

const ROLES: UserRole[] = ["CUSTOMER", "TELLER", "AUDITOR", "PROCESSOR", "ADMIN"];

export function DeskUser({ id }: { id: string }) {
  const { t, time } = useLocale();
  const word = useWord();
  const { administers } = useRights();
  const [{ data, error }, again] = useQuery({ query: USER, variables: { id } });
  const user = data?.node?.__typename === "User" ? data.node : null;
  if (!user) {
    if (data) return <Page title={t("staff.users")}><Empty>{t("rejection.notFound")}</Empty></Page>;
    return error ? <Failure retry={() => again({ requestPolicy: "network-only" })} /> : <Loading />;
  }
  return (
    <Page title={user.fullName} aside={<Mark group="userStatus" value={user.status} />}>
      <section className="card" aria-label={t("settings.profile")}>
        <dl className="definitions">
          <div><dt>{t("signIn.email")}</dt><dd>{user.email} {user.emailVerified && <small>{t("staff.verified")}</small>}</dd></div>
          {user.phoneNumber && <div><dt>{t("settings.phone")}</dt><dd>{user.phoneNumber}</dd></div>}
          <div><dt>{t("staff.role")}</dt><dd>{word("role", user.role)}</dd></div>
          <div><dt>{t("staff.since")}</dt><dd>{time(user.createdAt)}</dd></div>
          {user.suspensionReason && <div><dt>{t("staff.suspendedFor")}</dt><dd>{user.suspensionReason}</dd></div>}
        </dl>
        {administers && <Administration userId={id} role={user.role} status={user.status} hasFactor={user.mfaEnabled} />}
      </section>
      <Section title={t("overview.accounts")}>
        {user.accounts.nodes.length === 0 && <Empty>{t("overview.none")}</Empty>}
        <ul className="rows">
          {user.accounts.nodes.map((account) => (
            <li key={account.id}>
              <Link href={`/staff/accounts/${account.id}`} className="row">
                <span><strong>{account.name}</strong> {account.status !== "ACTIVE" && <Mark group="accountStatus" value={account.status} />}<small>{grouped(account.number)}</small></span>
                <Amount of={account.balance.booked} />
              </Link>
            </li>
          ))}
        </ul>
      </Section>
      {user.cards.nodes.length > 0 && (
        <Section title={t("nav.cards")}>
          <ul className="rows">{user.cards.nodes.map((card) => <li key={card.id} className="row"><span>•••• {card.last4}</span><Mark group="cardStatus" value={card.status} /></li>)}</ul>
        </Section>
      )}
    </Page>
  );
}

type AdministrationProps = { userId: string; role: UserRole; status: string; hasFactor: boolean };

function Administration({ userId, role, status, hasFactor }: AdministrationProps) {
  const { t } = useLocale();
  const word = useWord();
  const [isSuspending, setSuspending] = useState(false);
  const [chosen, setChosen] = useState(role);
  const reinstate = useAction(REINSTATE);
  const setRole = useAction(SET_ROLE);
  const removeFactor = useAction(REMOVE_FACTOR);
  const problem = reinstate.problem ?? setRole.problem ?? removeFactor.problem;
  return (
    <>
      <div className="inline">
        <Select label={t("staff.role")} value={chosen} onChange={(event) => setChosen(event.target.value as UserRole)}>
          {ROLES.map((each) => <option key={each} value={each}>{word("role", each)}</option>)}
        </Select>
        <Button busy={setRole.isRunning} disabled={chosen === role} onClick={() => void setRole.run({ userId, role: chosen })}>{t("staff.setRole")}</Button>
      </div>
      {problem && <ProblemText problem={problem} />}
      <div className="actions">
        {status === "ACTIVE" && <Button kind="danger" onClick={() => setSuspending(true)}>{t("staff.suspend")}</Button>}
        {status === "SUSPENDED" && <Button busy={reinstate.isRunning} onClick={() => void reinstate.run({ userId })}>{t("staff.reinstate")}</Button>}
        {hasFactor && <Button kind="danger" busy={removeFactor.isRunning} onClick={() => void removeFactor.run({ userId })}>{t("staff.removeFactor")}</Button>}
      </div>
      {isSuspending && <SuspendDialog userId={userId} onClose={() => setSuspending(false)} />}
    </>
  );
}

function SuspendDialog({ userId, onClose }: { userId: string; onClose: () => void }) {
  const { t } = useLocale();
  const [reason, setReason] = useState("");
  const { run, isRunning, problem } = useAction(SUSPEND);
  return (
    <Dialog title={t("staff.suspend")} onClose={onClose}>
      <Form kind="danger" label={t("staff.suspend")} busy={isRunning} problem={problem} onCancel={onClose} onSubmit={async () => (await run({ userId, reason })) && onClose()}>
        <p>{t("staff.suspendWhy")}</p>
        <Field label={t("staff.reason")} required value={reason} onChange={(event) => setReason(event.target.value)} />
      </Form>
    </Dialog>
  );
}
