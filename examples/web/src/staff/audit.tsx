// The audit: who did what, and what was refused.

import { useDeferredValue, useState } from "react";
import { Link } from "wouter";
import { graphql } from "../gql";
import { Field } from "../ui/form";
import { useLocale } from "../ui/locale";
import { More } from "../ui/more";
import { usePaged } from "../ui/paged";
import { Empty, Failure, Loading, Page, Section } from "../ui/parts";

const AUDIT = graphql(`
  query Audit($filter: AuditFilter, $first: Int, $after: String) {
    auditEvents(filter: $filter, first: $first, after: $after) {
      nodes { id at action outcome ipAddress requestId detail subject actor { id fullName } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
`);

export function Audit() {
  const { t, time } = useLocale();
  const [given, setGiven] = useState({ action: "", outcome: "" });
  const action = useDeferredValue(given.action.trim());
  const outcome = useDeferredValue(given.outcome.trim());
  const filter = { action: action || null, outcome: outcome || null };
  const { nodes, hasMore, isBusy, hasFailed, reload, more } = usePaged(AUDIT, { filter }, (data) => data.auditEvents);
  return (
    <Page title={t("staff.audit")}>
      <Section title={t("staff.events")}>
        <div className="columns">
          <Field label={t("staff.action")} placeholder="transfer" value={given.action} onChange={(event) => setGiven({ ...given, action: event.target.value })} />
          <Field label={t("staff.outcome")} placeholder="Forbidden" value={given.outcome} onChange={(event) => setGiven({ ...given, outcome: event.target.value })} />
        </div>
        {!nodes && (hasFailed ? <Failure retry={() => void reload()} /> : <Loading />)}
        {nodes?.length === 0 && <Empty>{t("staff.noEvents")}</Empty>}
        {nodes && nodes.length > 0 && (
          <div className="scroll" tabIndex={0} role="region" aria-label={t("staff.events")}>
            <table>
              <thead><tr><th>{t("staff.at")}</th><th>{t("staff.actor")}</th><th>{t("staff.action")}</th><th>{t("staff.outcome")}</th><th>{t("staff.address")}</th></tr></thead>
              <tbody>
                {nodes.map((event) => (
                  <tr key={event.id}>
                    <td>{time(event.at)}</td>
                    <td>{event.actor ? <Link href={`/staff/users/${event.actor.id}`}>{event.actor.fullName}</Link> : "–"}</td>
                    <td><code>{event.action}</code>{event.detail && <small> {event.detail}</small>}</td>
                    <td><span className={`mark ${event.outcome === "DONE" ? "active" : "refused"}`}>{event.outcome}</span></td>
                    <td><small>{event.ipAddress}</small></td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        <More has={hasMore} busy={isBusy} load={() => void more()} />
      </Section>
    </Page>
  );
}
