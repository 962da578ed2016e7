// Statements to download, and the entries of any period as a document.

import { useState } from "react";
import { useQuery } from "urql";
import { graphql } from "../gql";
import type { ExportFormat } from "../gql/graphql";
import { useAction } from "../ui/actions";
import { useBank } from "../ui/bank";
import { Field, Form, Select } from "../ui/form";
import { useLocale } from "../ui/locale";
import { Amount, Empty, Failure, Loading, Section } from "../ui/parts";

const STATEMENTS = graphql(`
  query Statements($id: ID!) {
    account(id: $id) {
      id
      statements(first: 36) { nodes { id number from to closingBalance { amount currency } pdfUrl csvUrl camt053Url } }
    }
  }
`);
const EXPORT = graphql(`
  mutation ExportEntries($accountId: ID!, $from: Date!, $to: Date!, $format: ExportFormat!) {
    exportEntries(accountId: $accountId, from: $from, to: $to, format: $format) { ... on EntryExport { url } ...Rejection }
  }
`);

const FORMATS: Record<ExportFormat, string> = { PDF: "PDF", CSV: "CSV", CAMT053: "camt.053" };

export function Statements({ accountId, openedOn }: { accountId: string; openedOn: string }) {
  const { t, day } = useLocale();
  const { today } = useBank();
  // Links expire, so they are read anew each time.
  const [{ data, error }, again] = useQuery({ query: STATEMENTS, variables: { id: accountId }, requestPolicy: "network-only" });
  const { run, isRunning, problem } = useAction(EXPORT);
  const [period, setPeriod] = useState({ from: openedOn, to: today, format: "PDF" as ExportFormat });
  const found = data?.account?.statements.nodes;
  async function download() {
    const made = await run({ accountId, ...period });
    if (made && "url" in made) location.assign(made.url);
  }
  return (
    <Section title={t("statements.title")}>
      {!found && (error ? <Failure retry={() => again({ requestPolicy: "network-only" })} /> : <Loading />)}
      {found?.length === 0 && <Empty>{t("statements.none")}</Empty>}
      <ul className="rows">
        {found?.map((each) => {
          const name = t("statements.name", { number: each.number, from: day(each.from), to: day(each.to) });
          return (
            <li key={each.id} className="row">
              <span><strong>{name}</strong><small>{t("statements.closing")} <Amount of={each.closingBalance} /></small></span>
              <span className="links">
                {([["PDF", each.pdfUrl], ["CSV", each.csvUrl], ["camt.053", each.camt053Url]] as const).map(([format, url]) => (
                  <a key={format} href={url} download aria-label={`${name}, ${format}`}>{format}</a>
                ))}
              </span>
            </li>
          );
        })}
      </ul>
      <details>
        <summary>{t("statements.export")}</summary>
        <Form label={t("statements.download")} busy={isRunning} problem={problem} onSubmit={() => void download()}>
          <div className="columns">
            <Field label={t("statements.from")} type="date" required min={openedOn} max={today} value={period.from} onChange={(event) => setPeriod({ ...period, from: event.target.value })} />
            <Field label={t("statements.to")} type="date" required min={openedOn} max={today} value={period.to} onChange={(event) => setPeriod({ ...period, to: event.target.value })} />
            <Select label={t("statements.format")} value={period.format} onChange={(event) => setPeriod({ ...period, format: event.target.value as ExportFormat })}>
              {Object.entries(FORMATS).map(([format, name]) => <option key={format} value={format}>{name}</option>)}
            </Select>
          </div>
        </Form>
      </details>
    </Section>
  );
}
