// The second factor and passkeys.

import { useState } from "react";
import { hasPasskeys, makePasskey } from "../bank/passkeys";
import { graphql } from "../gql";
import { type Problem, useAction } from "../ui/actions";
import { Dialog } from "../ui/dialog";
import { Field, Form } from "../ui/form";
import { useLocale } from "../ui/locale";
import { Button, Copyable, Section } from "../ui/parts";
import { ProblemText } from "../ui/problem";

const ENROL = graphql(`
  mutation EnrolTotp($password: String!) { enrolTotp(password: $password) { ... on TotpEnrolment { secret qrSvg } ...Rejection } }
`);
const CONFIRM = graphql(`
  mutation ConfirmTotp($code: String!) { confirmTotp(code: $code) { ... on RecoveryCodes { codes } ...Rejection } }
`);
const DISABLE = graphql(`
  mutation DisableTotp($password: String!, $code: String!) {
    disableTotp(password: $password, code: $code) { ... on Done { ok } ...Rejection }
  }
`);
const REQUEST = graphql(`
  mutation RequestPasskey { requestPasskey { ... on PasskeyChallenge { options challengeToken } ...Rejection } }
`);
const ADD = graphql(`
  mutation AddPasskey($name: String!, $input: PasskeyAnswerInput!) {
    addPasskey(name: $name, input: $input) { ... on Passkey { id name createdAt lastUsedAt } ...Rejection }
  }
`);
const REMOVE = graphql(`
  mutation RemovePasskey($id: ID!) { removePasskey(id: $id) { ... on Done { ok } ...Rejection } }
`);

export function SecondFactor({ isEnabled }: { isEnabled: boolean }) {
  const { t } = useLocale();
  // Which one was opened: the last step of the first changes what is enabled, and still has codes to show.
  const [open, setOpen] = useState<"enrol" | "disable" | null>(null);
  const close = () => setOpen(null);
  return (
    <Section title={t("settings.factor")}>
      <p>{isEnabled ? t("settings.factorOn") : t("settings.factorOff")}</p>
      <div className="actions"><Button onClick={() => setOpen(isEnabled ? "disable" : "enrol")}>{isEnabled ? t("settings.disable") : t("settings.enrol")}</Button></div>
      {open === "enrol" && <EnrolDialog onClose={close} />}
      {open === "disable" && <DisableDialog onClose={close} />}
    </Section>
  );
}

function EnrolDialog({ onClose }: { onClose: () => void }) {
  const { t } = useLocale();
  const [given, setGiven] = useState({ password: "", code: "" });
  const [made, setMade] = useState<{ secret: string; qrSvg: string } | null>(null);
  const [codes, setCodes] = useState<string[] | null>(null);
  const enrol = useAction(ENROL);
  const confirm = useAction(CONFIRM);
  async function begin() {
    const answer = await enrol.run({ password: given.password });
    if (answer?.__typename === "TotpEnrolment") setMade(answer);
  }
  async function finish() {
    const answer = await confirm.run({ code: given.code });
    if (answer?.__typename === "RecoveryCodes") setCodes(answer.codes);
  }
  if (codes) {
    return (
      <Dialog title={t("settings.recovery")} onClose={onClose}>
        <p>{t("settings.recoveryWhy")}</p>
        <ul className="codes">{codes.map((code) => <li key={code}><code>{code}</code></li>)}</ul>
        <div className="actions"><Button kind="primary" onClick={onClose}>{t("settings.stored")}</Button></div>
      </Dialog>
    );
  }
  return (
    <Dialog title={t("settings.enrol")} onClose={onClose}>
      {made ? (
        <Form key="confirm" label={t("settings.confirm")} busy={confirm.isRunning} problem={confirm.problem} onCancel={onClose} onSubmit={() => void finish()}>
          <p>{t("settings.scan")}</p>
          {/* As an image, so that nothing in it can run. */}
          <img className="qr" alt={t("settings.qr")} src={`data:image/svg+xml;utf8,${encodeURIComponent(made.qrSvg)}`} />
          <p><Copyable text={made.secret} /></p>
          <Field label={t("signIn.code")} required autoComplete="one-time-code" inputMode="numeric" value={given.code} onChange={(event) => setGiven({ ...given, code: event.target.value })} />
        </Form>
      ) : (
        <Form key="begin" label={t("pay.continue")} busy={enrol.isRunning} problem={enrol.problem} onCancel={onClose} onSubmit={() => void begin()}>
          <Field label={t("signIn.password")} type="password" required autoComplete="current-password" value={given.password} onChange={(event) => setGiven({ ...given, password: event.target.value })} />
        </Form>
      )}
    </Dialog>
  );
}

function DisableDialog({ onClose }: { onClose: () => void }) {
  const { t } = useLocale();
  const [given, setGiven] = useState({ password: "", code: "" });
  const { run, isRunning, problem } = useAction(DISABLE);
  return (
    <Dialog title={t("settings.disable")} onClose={onClose}>
      <Form kind="danger" label={t("settings.disable")} busy={isRunning} problem={problem} onCancel={onClose} onSubmit={async () => (await run(given)) && onClose()}>
        <Field label={t("signIn.password")} type="password" required autoComplete="current-password" value={given.password} onChange={(event) => setGiven({ ...given, password: event.target.value })} />
        <Field label={t("signIn.code")} required autoComplete="one-time-code" value={given.code} onChange={(event) => setGiven({ ...given, code: event.target.value })} />
      </Form>
    </Dialog>
  );
}

type PasskeyRow = { id: string; name: string; createdAt: string; lastUsedAt?: string | null };

export function Passkeys({ passkeys }: { passkeys: PasskeyRow[] }) {
  const { t, time } = useLocale();
  const [name, setName] = useState("");
  const [failure, setFailure] = useState<Problem | null>(null);
  const request = useAction(REQUEST);
  const add = useAction(ADD);
  const remove = useAction(REMOVE);
  async function make() {
    setFailure(null);
    const challenge = await request.run({});
    if (challenge?.__typename !== "PasskeyChallenge") return;
    try {
      const input = await makePasskey(challenge);
      if (await add.run({ name, input })) setName("");
    } catch (error) {
      setFailure(error as Error); // the device's user would rather not
    }
  }
  const problem = failure ?? request.problem ?? add.problem ?? remove.problem;
  return (
    <Section title={t("settings.passkeys")}>
      <p>{t("settings.passkeysWhy")}</p>
      <ul className="rows">
        {passkeys.map((each) => (
          <li key={each.id} className="row">
            <span><strong>{each.name}</strong><small>{time(each.lastUsedAt ?? each.createdAt)}</small></span>
            <Button className="small danger" aria-label={`${t("remove")}: ${each.name}`} onClick={() => void remove.run({ id: each.id })}>{t("remove")}</Button>
          </li>
        ))}
      </ul>
      {hasPasskeys() && (
        <Form label={t("settings.addPasskey")} busy={request.isRunning || add.isRunning} problem={problem} onSubmit={() => void make()}>
          <Field label={t("settings.passkeyName")} required maxLength={100} value={name} onChange={(event) => setName(event.target.value)} />
        </Form>
      )}
      {!hasPasskeys() && problem && <ProblemText problem={problem} />}
    </Section>
  );
}
