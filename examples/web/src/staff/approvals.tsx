// What one member of staff proposes, and another one decides.

import { useQuery } from "urql";
import { Link } from "wouter";
import { graphql } from "../gql";
import type { ApprovalsQuery } from "../gql/graphql";
import { useAction } from "../ui/actions";
import { useBank } from "../ui/bank";
import { useLocale, useWord } from "../ui/locale";
import { Amount, Button, Empty, Failure, Loading, Mark, Page } from "../ui/parts";
import { ProblemText } from "../ui/problem";
import { useRights } from "./desk";

const APPROVALS = graphql(`
  query Approvals {
    approvals(first: 50) {
      nodes {
        id kind status reason refusal createdAt expiresAt role limit { amount currency }
        proposedBy { id fullName } decidedBy { id fullName } user { id fullName } account { id name }
        transaction { id reference amount { amount currency } }
      }
    }
  }
`);
const DECIDE = graphql(`
  mutation Decide($approvalId: ID!, $approve: Boolean!) {
    decide(approvalId: $approvalId, approve: $approve) { ... on Approval { id status refusal decidedBy { id fullName } } ...Rejection }
  }
`);

export function Approvals() {
  const { t } = useLocale();
  const [{ data, error }, again] = useQuery({ query: APPROVALS });
  const found = data?.approvals?.nodes;
  return (
    <Page title={t("staff.approvals")}>
      {!found && (error ? <Failure retry={() => again({ requestPolicy: "network-only" })} /> : <Loading />)}
      {found?.length === 0 && <Empty>{t("staff.noApprovals")}</Empty>}
      {found?.map((approval) => <ApprovalCard key={approval.id} approval={approval} />)}
    </Page>
  );
}

type Approval = NonNullable<ApprovalsQuery["approvals"]>["nodes"][number];

function ApprovalCard({ approval }: { approval: Approval }) {
  const { t, time } = useLocale();
  const word = useWord();
  const { viewer } = useBank();
  const { actsOnAccounts } = useRights();
  const { run, isRunning, problem } = useAction(DECIDE);
  const title = word("approvalKind", approval.kind);
  const isMine = approval.proposedBy?.id === viewer.id;
  return (
    <section className="card" aria-label={title}>
      <header><h2>{title}</h2><Mark group="approvalStatus" value={approval.status} /></header>
      <dl className="definitions">
        {approval.user && <div><dt>{t("staff.customer")}</dt><dd><Link href={`/staff/users/${approval.user.id}`}>{approval.user.fullName}</Link></dd></div>}
        {approval.account && <div><dt>{t("staff.account")}</dt><dd><Link href={`/staff/accounts/${approval.account.id}`}>{approval.account.name}</Link></dd></div>}
        {approval.role && <div><dt>{t("staff.role")}</dt><dd>{word("role", approval.role)}</dd></div>}
        {approval.limit && <div><dt>{t("account.overdraft")}</dt><dd><Amount of={approval.limit} /></dd></div>}
        {approval.transaction && <div><dt>{t("transaction.title")}</dt><dd><Amount of={approval.transaction.amount} /> <code>{approval.transaction.reference}</code></dd></div>}
        {approval.reason && <div><dt>{t("staff.reason")}</dt><dd>{approval.reason}</dd></div>}
        <div><dt>{t("staff.proposedBy")}</dt><dd>{approval.proposedBy?.fullName} · {time(approval.createdAt)}</dd></div>
        {approval.decidedBy && <div><dt>{t("staff.decidedBy")}</dt><dd>{approval.decidedBy.fullName}</dd></div>}
        {approval.status === "PENDING" && <div><dt>{t("staff.expires")}</dt><dd>{time(approval.expiresAt)}</dd></div>}
      </dl>
      {approval.refusal && <p>{approval.refusal}</p>}
      {problem && <ProblemText problem={problem} />}
      {approval.status === "PENDING" && actsOnAccounts && (
        <div className="actions">
          {!isMine && <Button kind="primary" busy={isRunning} onClick={() => void run({ approvalId: approval.id, approve: true })}>{t("staff.approve")}</Button>}
          <Button kind="danger" busy={isRunning} onClick={() => void run({ approvalId: approval.id, approve: false })}>{t("staff.reject")}</Button>
        </div>
      )}
    </section>
  );
}
