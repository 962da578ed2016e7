// The proof that the bank requires before what is dangerous: a code, the password, or a passkey.

import { useCallback, useEffect, useRef, useState } from "react";
import { useClient } from "urql";
import { answerPasskey, hasPasskeys } from "../bank/passkeys";
import type { Prove, StepUp } from "../bank/perform";
import { meaning, Unanswered } from "../bank/post";
import { is, isRejection } from "../bank/rejections";
import { graphql } from "../gql";
import type { StepUpMutationVariables } from "../gql/graphql";
import type { Problem } from "./actions";
import { Dialog } from "./dialog";
import { Field, Form } from "./form";
import { useLocale } from "./locale";
import { Button } from "./parts";

const STEP_UP = graphql(`
  mutation StepUp($challenge: String!, $code: String, $password: String, $passkey: PasskeyAnswerInput) {
    stepUp(challenge: $challenge, code: $code, password: $password, passkey: $passkey) { ... on Done { ok } ...Rejection }
  }
`);

type Proof = { required: StepUp; settle: (proven: boolean) => void };

/** `prove` opens the dialog, one after another, and waits for what comes of it. It fails if its user has gone. */
export function useProve(): { proof: Proof | undefined; prove: Prove } {
  const [proofs, setProofs] = useState<Proof[]>([]);
  const waiting = useRef(new Map<Proof, (gone: Error) => void>());
  const prove = useCallback<Prove>(
    (required) =>
      new Promise((resolve, reject) => {
        const proof: Proof = {
          required,
          settle: (proven) => {
            waiting.current.delete(proof);
            setProofs((before) => before.filter((each) => each !== proof));
            resolve(proven);
          },
        };
        waiting.current.set(proof, reject);
        setProofs((before) => [...before, proof]);
      }),
    [],
  );
  useEffect(() => {
    const all = waiting.current;
    return () => all.forEach((reject) => reject(new Unanswered()));
  }, []);
  return { proof: proofs[0], prove };
}

export function StepUpDialog({ proof: { required, settle } }: { proof: Proof }) {
  const { t } = useLocale();
  const client = useClient();
  const [secret, setSecret] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const isCode = required.factor === "CODE";

  async function send(given: Omit<StepUpMutationVariables, "challenge">) {
    const { data, error } = await client.mutation(STEP_UP, { challenge: required.challenge, ...given }).toPromise();
    if (!data) return setProblem(error?.graphQLErrors[0] ? meaning(error.graphQLErrors[0]) : new Unanswered());
    if (is(data.stepUp, "Done")) settle(true);
    else if (isRejection(data.stepUp)) setProblem(data.stepUp);
  }
  async function attempt(work: () => Promise<void>) {
    setBusy(true);
    setProblem(null);
    await work().catch((error: Error) => setProblem(error));
    setBusy(false);
  }
  return (
    <Dialog title={t("stepUp.title")} onClose={() => settle(false)}>
      <p>{t("stepUp.why")}</p>
      <Form
        label={t("stepUp.confirm")}
        busy={isBusy}
        problem={problem}
        onSubmit={() => void attempt(() => send(isCode ? { code: secret } : { password: secret }))}
        onCancel={() => settle(false)}
      >
        {isCode ? (
          <Field label={t("signIn.code")} value={secret} onChange={(event) => setSecret(event.target.value)} required autoComplete="one-time-code" />
        ) : (
          <Field label={t("signIn.password")} type="password" value={secret} onChange={(event) => setSecret(event.target.value)} required autoComplete="current-password" />
        )}
      </Form>
      {hasPasskeys() && (
        <Button onClick={() => void attempt(async () => send({ passkey: await answerPasskey() }))}>{t("signIn.passkey")}</Button>
      )}
    </Dialog>
  );
}
