// Hooks that change something at the bank.

import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { type TypedDocumentNode, useClient } from "urql";
import type { Input, Kind } from "../bank/intents";
import type { Item, Progress } from "../bank/outbox";
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
  return { run, isRunning, problem };
}

export type Shown<K extends Kind> = { at: "start" } | Progress<K>;

/** Do once what has an idempotency key. It goes on if its page is left, and then shows above the next one. */
export function useIntent<K extends Kind>(kind: K) {
  const { outbox } = useBank();
  const [key, setKey] = useState<string | null>(null);
  const [failure, setFailure] = useState<Error | null>(null);
  const item = useSyncExternalStore(outbox.subscribe, () => outbox.get(key)) as Item<K> | undefined;
  const isBusy = useRef(false);
  isBusy.current = item?.progress.at === "sending" || item?.progress.at === "unanswered";
  useEffect(() => {
    if (key === null) return;
    outbox.watch(key, true);
    return () => outbox.watch(key, false);
  }, [outbox, key]);
  const submit = useCallback(
    (input: Input<K>): void => {
      if (isBusy.current) return;
      isBusy.current = true;
      try {
        setFailure(null);
        setKey(outbox.submit(kind, input));
      } catch (error) {
        isBusy.current = false;
        setFailure(error as Error); // it cannot be stored, so it is not sent
      }
    },
    [outbox, kind],
  );
  const progress: Shown<K> = failure ? { at: "refused", problem: failure } : (item?.progress ?? { at: "start" });
  return { progress, submit };
}
