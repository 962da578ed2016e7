// Run a mutation: prove who it is if the bank requires that, and return what the bank answered.

import type { Client, TypedDocumentNode } from "urql";
import { answered } from "./client";
import { meaning, Unanswered } from "./post";
import type { Rejection } from "./rejections";

export type StepUp = Extract<Rejection, { __typename: "StepUpRequiredRejection" }>;
/** Has the user prove who it is; false if the user would rather not. */
export type Prove = (required: StepUp) => Promise<boolean>;

/** The answer of a mutation of one field: its success, or a rejection. */
export type AnswerOf<Data> = NonNullable<Exclude<Data[keyof Data], string>>;

/**
 * Return the answer of a mutation of one field.
 * Throws `Unanswered` if it may or may not have been executed, and `Refused` if it was not.
 */
export async function perform<Data extends object, Variables extends object>(
  client: Client,
  prove: Prove,
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<AnswerOf<Data>> {
  for (;;) {
    const result = await client.mutation<Data, any>(document, variables).toPromise();
    const [fault] = result.error?.graphQLErrors ?? [];
    if (fault) throw meaning(fault);
    const data = answered(result);
    if (result.error) throw new Unanswered();
    const answer = Object.entries(data ?? {}).find(([field]) => field !== "__typename")?.[1] as any;
    if (!answer) throw new Unanswered();
    // With the same key: a demand for a proof is no outcome, and is not stored with it.
    if (answer.__typename !== "StepUpRequiredRejection" || !(await prove(answer))) return answer;
  }
}
