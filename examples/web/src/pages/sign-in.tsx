// Sign in, with a second factor or a passkey; sign up; and choose a new password by mail.

import { type ReactNode, useState } from "react";
import { answerPasskey, hasPasskeys } from "../bank/passkeys";
import { post } from "../bank/post";
import { isRejection } from "../bank/rejections";
import { hasSignedOut, type Session, setSession } from "../bank/session";
import { graphql } from "../gql";
import type { Problem } from "../ui/actions";
import { Field, Form, mistakeIn } from "../ui/form";
import { useLocale } from "../ui/locale";
import { Button, Page } from "../ui/parts";
import { LanguageChoice } from "../ui/language";

// Documents spread it by its name.
graphql(`
  fragment NewSession on AuthSession { accessToken refreshToken expiresAt user { id } }
`);
const LOG_IN = graphql(`
  mutation LogIn($input: LogInInput!) {
    logIn(input: $input) { ...NewSession ... on MfaChallenge { challengeToken } ...Rejection }
  }
`);
const COMPLETE = graphql(`
  mutation CompleteLogIn($challengeToken: String!, $code: String!) {
    completeLogIn(challengeToken: $challengeToken, code: $code) { ...NewSession ...Rejection }
  }
`);
const WITH_PASSKEY = graphql(`
  mutation LogInWithPasskey($input: PasskeyAnswerInput!) { logInWithPasskey(input: $input) { ...NewSession ...Rejection } }
`);
const SIGN_UP = graphql(`
  mutation SignUp($input: SignUpInput!) { signUp(input: $input) { ...NewSession ...Rejection } }
`);
const REQUEST_RESET = graphql(`
  mutation RequestPasswordReset($email: String!) { requestPasswordReset(email: $email) { ... on Done { ok } ...Rejection } }
`);
const RESET = graphql(`
  mutation ResetPassword($email: String!, $code: String!, $newPassword: String!) {
    resetPassword(email: $email, code: $code, newPassword: $newPassword) { ... on Done { ok } ...Rejection }
  }
`);

type Step = "signIn" | "code" | "signUp" | "forgot" | "reset";
type Answer = { __typename?: string } | ({ __typename: "AuthSession" } & Session);

/** What is shown to somebody who is not signed in. */
export function SignIn({ hasEnded }: { hasEnded: boolean }) {
  const { t } = useLocale();
  const [step, setStep] = useState<Step>("signIn");
  const [given, setGiven] = useState({ email: "", password: "", fullName: "", code: "", newPassword: "" });
  const [challengeToken, setChallengeToken] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [notice, setNotice] = useState<string | null>(null);

  const go = (next: Step, say: string | null = null) => {
    setStep(next);
    setProblem(null);
    setNotice(say);
  };
  /** Run a step; `then` gets the answers that are neither a session nor a rejection. */
  async function attempt(work: () => Promise<Answer>, then: (answer: Answer) => void = () => {}) {
    setBusy(true);
    setProblem(null);
    try {
      const answer = await work();
      if (answer.__typename === "AuthSession") setSession(answer as Session);
      else if (isRejection(answer)) setProblem(answer);
      else then(answer);
    } catch (error) {
      setProblem(error as Error);
    } finally {
      setBusy(false);
    }
  }
  const field = (name: keyof typeof given, more: object) => ({
    value: given[name],
    onChange: (event: { target: { value: string } }) => setGiven({ ...given, [name]: event.target.value }),
    required: true,
    ...more,
  });
  const email = <Field label={t("signIn.email")} type="email" {...field("email", { autoComplete: "username" })} mistake={mistakeIn(problem, "email")} />;
  const form = { busy: isBusy, problem };

  const steps: Record<Step, ReactNode> = {
    signIn: (
      <>
        <Form
          key="signIn" {...form} label={t("signIn.do")}
          onSubmit={() => void attempt(
            async () => (await post(LOG_IN, { input: { email: given.email, password: given.password } })).logIn,
            (answer) => {
              if (answer.__typename !== "MfaChallenge") return;
              setChallengeToken((answer as unknown as { challengeToken: string }).challengeToken);
              go("code");
            },
          )}
        >
          {email}
          <Field label={t("signIn.password")} type="password" {...field("password", { autoComplete: "current-password" })} />
        </Form>
        {hasPasskeys() && (
          <Button onClick={() => void attempt(async () => (await post(WITH_PASSKEY, { input: await answerPasskey() })).logInWithPasskey)}>
            {t("signIn.passkey")}
          </Button>
        )}
        <p><Button className="link" onClick={() => go("signUp")}>{t("signUp.instead")}</Button></p>
        <p><Button className="link" onClick={() => go("forgot")}>{t("signIn.forgot")}</Button></p>
      </>
    ),
    code: (
      <Form
        key="code" {...form} label={t("signIn.do")} onCancel={() => go("signIn")}
        onSubmit={() => void attempt(async () => (await post(COMPLETE, { challengeToken, code: given.code })).completeLogIn)}
      >
        <Field label={t("signIn.code")} hint={t("signIn.codeHint")} autoFocus {...field("code", { autoComplete: "one-time-code" })} />
      </Form>
    ),
    signUp: (
      <Form
        key="signUp" {...form} label={t("signUp.do")} onCancel={() => go("signIn")}
        onSubmit={() => void attempt(async () => {
          const { email: address, password, fullName } = given;
          return (await post(SIGN_UP, { input: { email: address, password, fullName } })).signUp;
        })}
      >
        <Field label={t("signUp.name")} {...field("fullName", { autoComplete: "name" })} mistake={mistakeIn(problem, "fullName")} />
        {email}
        <Field label={t("signIn.password")} hint={t("signUp.passwordHint")} type="password" {...field("password", { autoComplete: "new-password" })} mistake={mistakeIn(problem, "password")} />
      </Form>
    ),
    forgot: (
      <Form
        key="forgot" {...form} label={t("signIn.sendCode")} onCancel={() => go("signIn")}
        onSubmit={() => void attempt(
          async () => (await post(REQUEST_RESET, { email: given.email })).requestPasswordReset,
          () => go("reset", t("signIn.codeSent")),
        )}
      >
        {email}
      </Form>
    ),
    reset: (
      <Form
        key="reset" {...form} label={t("signIn.reset")} onCancel={() => go("signIn")}
        onSubmit={() => void attempt(
          async () => (await post(RESET, { email: given.email, code: given.code, newPassword: given.newPassword })).resetPassword,
          () => go("signIn", t("signIn.wasReset")),
        )}
      >
        <Field label={t("signIn.mailedCode")} {...field("code", { autoComplete: "one-time-code" })} />
        <Field label={t("settings.newPassword")} hint={t("signUp.passwordHint")} type="password" {...field("newPassword", { autoComplete: "new-password" })} mistake={mistakeIn(problem, "newPassword")} />
      </Form>
    ),
  };
  return (
    <main className="alone">
      <div className="card">
        <Page key={step} title={t(`signIn.title.${step}`)} aside={<LanguageChoice />}>
          {hasEnded && step === "signIn" && !notice && <p role="status">{hasSignedOut() ? t("signIn.signedOut") : t("signIn.ended")}</p>}
          {notice && <p role="status">{notice}</p>}
          {steps[step]}
        </Page>
      </div>
    </main>
  );
}
