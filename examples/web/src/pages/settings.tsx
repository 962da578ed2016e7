// The viewer: name, password, second factor, passkeys, sessions, and what the bank holds about them.

import { useState } from "react";
import { useQuery } from "urql";
import { graphql } from "../gql";
import { useAction } from "../ui/actions";
import { useBank } from "../ui/bank";
import { Field, Form, mistakeIn } from "../ui/form";
import { useLocale } from "../ui/locale";
import { Button, Failure, Loading, Page, Section } from "../ui/parts";
import { ProblemText } from "../ui/problem";
import { Passkeys, SecondFactor } from "./factors";

const SETTINGS = graphql(`
  query Settings {
    me {
      id fullName phoneNumber email emailVerified mfaEnabled
      sessions { id createdAt lastUsedAt userAgent ipAddress current }
      passkeys { id name createdAt lastUsedAt }
    }
  }
`);
const UPDATE = graphql(`
  mutation UpdateProfile($fullName: String, $phoneNumber: String) {
    updateProfile(fullName: $fullName, phoneNumber: $phoneNumber) { ... on User { id fullName phoneNumber } ...Rejection }
  }
`);
const REQUEST_CODE = graphql(`
  mutation RequestCode { requestEmailVerification { ... on Done { ok } ...Rejection } }
`);
const VERIFY = graphql(`
  mutation Verify($code: String!) { verifyEmail(code: $code) { ... on User { id emailVerified } ...Rejection } }
`);
const CHANGE_PASSWORD = graphql(`
  mutation ChangePassword($current: String!, $new: String!) {
    changePassword(current: $current, new: $new) { ... on Done { ok } ...Rejection }
  }
`);
const END_SESSION = graphql(`
  mutation EndSession($id: ID!) { logOut(sessionId: $id) { ... on Done { ok } ...Rejection } }
`);
const EXPORT = graphql(`
  mutation ExportMyData { exportMyData { ... on PersonalDataExport { url } ...Rejection } }
`);

export default function Settings() {
  const { t } = useLocale();
  const [{ data, error }, again] = useQuery({ query: SETTINGS });
  const me = data?.me;
  return (
    <Page title={t("nav.settings")}>
      {!me && (error ? <Failure retry={() => again({ requestPolicy: "network-only" })} /> : <Loading />)}
      {me && (
        <>
          <Profile fullName={me.fullName} phoneNumber={me.phoneNumber ?? ""} />
          <Address isVerified={me.emailVerified} />
          <Password />
          <SecondFactor isEnabled={me.mfaEnabled} />
          <Passkeys passkeys={me.passkeys} />
          <Sessions sessions={me.sessions} />
          <MyData />
        </>
      )}
    </Page>
  );
}

function Profile(present: { fullName: string; phoneNumber: string }) {
  const { t } = useLocale();
  const [given, setGiven] = useState(present);
  const [isSaved, setSaved] = useState(false);
  const { run, isRunning, problem } = useAction(UPDATE);
  return (
    <Section title={t("settings.profile")}>
      <Form label={t("save")} busy={isRunning} problem={problem} onSubmit={async () => setSaved((await run(given)) !== null)}>
        <Field label={t("signUp.name")} required value={given.fullName} autoComplete="name" onChange={(event) => setGiven({ ...given, fullName: event.target.value })} mistake={mistakeIn(problem, "fullName")} />
        <Field label={t("settings.phone")} type="tel" value={given.phoneNumber} autoComplete="tel" onChange={(event) => setGiven({ ...given, phoneNumber: event.target.value })} mistake={mistakeIn(problem, "phoneNumber")} />
      </Form>
      {isSaved && <p role="status">{t("saved")}</p>}
    </Section>
  );
}

function Address({ isVerified }: { isVerified: boolean }) {
  const { t } = useLocale();
  const { viewer } = useBank();
  const [code, setCode] = useState("");
  const [isSent, setSent] = useState(false);
  const request = useAction(REQUEST_CODE);
  const verify = useAction(VERIFY);
  return (
    <Section title={t("settings.address")}>
      <p><strong>{viewer.email}</strong> <span role="status">{isVerified ? t("settings.verified") : isSent ? t("settings.codeSent") : t("settings.unverified")}</span></p>
      {!isVerified && isSent && (
        <Form label={t("settings.verify")} busy={verify.isRunning} problem={verify.problem} onSubmit={() => void verify.run({ code })}>
          <Field label={t("settings.mailedCode")} required autoComplete="one-time-code" value={code} onChange={(event) => setCode(event.target.value)} />
        </Form>
      )}
      {request.problem && <ProblemText problem={request.problem} />}
      {!isVerified && (
        <div className="actions"><Button busy={request.isRunning} onClick={async () => setSent((await request.run({})) !== null)}>{t("settings.sendCode")}</Button></div>
      )}
    </Section>
  );
}

function Password() {
  const { t } = useLocale();
  const [given, setGiven] = useState({ current: "", new: "" });
  const [isSaved, setSaved] = useState(false);
  const { run, isRunning, problem } = useAction(CHANGE_PASSWORD);
  async function change() {
    if (!(await run(given))) return;
    setGiven({ current: "", new: "" });
    setSaved(true);
  }
  return (
    <Section title={t("settings.password")}>
      <Form label={t("settings.changePassword")} busy={isRunning} problem={problem} onSubmit={() => void change()}>
        <Field label={t("settings.currentPassword")} type="password" required autoComplete="current-password" value={given.current} onChange={(event) => setGiven({ ...given, current: event.target.value })} />
        <Field label={t("settings.newPassword")} hint={t("signUp.passwordHint")} type="password" required autoComplete="new-password" value={given.new} onChange={(event) => setGiven({ ...given, new: event.target.value })} mistake={mistakeIn(problem, "new")} />
      </Form>
      {isSaved && <p role="status">{t("settings.passwordChanged")}</p>}
    </Section>
  );
}

type SessionRow = { id: string; createdAt: string; lastUsedAt: string; userAgent?: string | null; ipAddress?: string | null; current: boolean };

function Sessions({ sessions }: { sessions: SessionRow[] }) {
  const { t, time } = useLocale();
  const { run, isRunning, problem } = useAction(END_SESSION);
  return (
    <Section title={t("settings.sessions")}>
      <ul className="rows">
        {sessions.map(({ id, lastUsedAt, userAgent, ipAddress, current }) => (
          <li key={id} className="row">
            <span><strong>{deviceOf(userAgent) ?? t("settings.unknownDevice")}</strong><small>{ipAddress} · {time(lastUsedAt)}</small></span>
            {current ? <span className="mark active">{t("settings.thisDevice")}</span> : <Button className="small danger" busy={isRunning} onClick={() => void run({ id })}>{t("settings.endSession")}</Button>}
          </li>
        ))}
      </ul>
      {problem && <ProblemText problem={problem} />}
    </Section>
  );
}

/** A browser and a system, from what a browser says about itself. */
function deviceOf(userAgent: string | null | undefined): string | null {
  const browser = /(Firefox|Edg|OPR|Chrome|Safari)\//.exec(userAgent ?? "")?.[1];
  const system = /(Android|iPhone|iPad|Windows|Mac OS X|Linux)/.exec(userAgent ?? "")?.[1];
  const names: Record<string, string> = { Edg: "Edge", OPR: "Opera", "Mac OS X": "macOS" };
  const known = [browser, system].filter((each) => each !== undefined).map((each) => names[each] ?? each);
  return known.join(", ") || userAgent?.slice(0, 60) || null;
}

function MyData() {
  const { t } = useLocale();
  const { run, isRunning, problem } = useAction(EXPORT);
  async function download() {
    const made = await run({});
    if (made && "url" in made) location.assign(made.url);
  }
  return (
    <Section title={t("settings.data")}>
      <p>{t("settings.dataWhy")}</p>
      {problem && <ProblemText problem={problem} />}
      <div className="actions"><Button busy={isRunning} onClick={() => void download()}>{t("settings.download")}</Button></div>
    </Section>
  );
}
