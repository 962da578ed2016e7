// Hooks that change something at the bank.

import { useCallback, useEffect, useRef, useState } from "react";
import { type TypedDocumentNode, useClient } from "urql";
import { type Answer, type Input, type Intent, type Kind, settle, store } from "../bank/intents";
import { type AnswerOf, perform } from "../bank/perform";
import { isRejection, type Rejection } from "../bank/rejections";
import { useBank } from "./bank";

/** Why something did not happen: a rejection, an error, or no answer at all. */
export type Problem = Rejection | Error;
export type Success<Data> = Exclude<AnswerOf<Data>, { __typename: `${string}Rejection` }>;

/** Run a mutation that may be repeated without harm. `run` returns its success, or null if there is a problem. */
export function useAction<Data extends object, Variables extends object>(document: TypedDocumentNode<Data, Variables>) {
  const client = useClient();
  const { prove } = useBank();
  const [isRunning, setRunning] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const run = useCallback(
    async (variables: Variables): Promise<Success<Data> | null> => {
      setRunning(true);
      setProblem(null);
      try {
        const answer = await perform(client, prove, document, variables);
        if (!isRejection(answer)) return answer as Success<Data>;
        setProblem(answer);
      } catch (error) {
        setProblem(error as Error);
      } finally {
        setRunning(false);
      }
      return null;
    },
    [client, prove, document],
  );
  return { run, isRunning, problem, forget: useCallback(() => setProblem(null), []) };
}

export type Progress<K extends Kind> =
  | { at: "start" }
  | { at: "sending" }
  /** The bank has not said what came of it. It is sent again by itself, with the same key. */
  | { at: "unanswered" }
  | { at: "done"; answer: Exclude<Answer<K>, { __typename: `${string}Rejection` }> }
  | { at: "refused"; problem: Problem };

/** Do once what has an idempotency key. */
export function useIntent<K extends Kind>(kind: K) {
  const client = useClient();
  const { viewer, prove } = useBank();
  const [progress, setProgress] = useState<Progress<K>>({ at: "start" });
  const leaving = useRef<AbortController>(null);
  useEffect(() => {
    leaving.current = new AbortController();
    return () => leaving.current?.abort();
  }, []);

  const go = useCallback(
    async (intent: Intent<K>): Promise<void> => {
      const { signal } = leaving.current ?? new AbortController();
      setProgress({ at: "sending" });
      try {
        const answer = await settle(client, prove, intent, { signal, onUnanswered: () => setProgress({ at: "unanswered" }) });
        if (answer === null) setProgress({ at: "start" });
        else if (isRejection(answer)) setProgress({ at: "refused", problem: answer });
        else setProgress({ at: "done", answer: answer as never });
      } catch (error) {
        if (signal.aborted) return; // what is stored is sent by whoever comes next: see Unanswered
        setProgress({ at: "refused", problem: error as Error });
      }
    },
    [client, prove],
  );
  const submit = useCallback(
    async (input: Input<K>): Promise<void> => {
      try {
        await go(store(kind, viewer.id, input));
      } catch (error) {
        setProgress({ at: "refused", problem: error as Error }); // it cannot be stored, so it is not sent
      }
    },
    [go, kind, viewer.id],
  );
  const reset = useCallback(() => setProgress({ at: "start" }), []);
  return { progress, submit, resume: go, reset };
}
