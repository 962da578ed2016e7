// Refusals are data: each rejection has its own fields. Here is what an answer of a mutation means.

import { graphql } from "../gql";
import type { RejectionFragment } from "../gql/graphql";

// Documents spread it by its name.
graphql(`
  fragment Rejection on Rejection {
    __typename
    message
    ... on ValidationRejection { fields { path code message } }
    ... on InsufficientFundsRejection { available { amount currency } required { amount currency } }
    ... on CurrencyMismatchRejection { expected given }
    ... on AccountStatusRejection { accountStatus }
    ... on LimitExceededRejection { limit { window amount { amount currency } remaining { amount currency } } }
    ... on StateConflictRejection { conflict }
    ... on IdempotencyConflictRejection { original { id } }
    ... on StepUpRequiredRejection { challenge factor }
    ... on ApprovalRequiredRejection { approval { id expiresAt } }
  }
`);

export type Rejection = RejectionFragment;

/** Whether the answer of a mutation is a rejection: also one of a type that this version does not know. */
export const isRejection = (answer: { __typename?: string }): answer is Rejection =>
  answer.__typename?.endsWith("Rejection") ?? false;

/**
 * Whether an answer is one of the successes that a page knows. The union of a mutation may get more members: what is neither
 * this nor a rejection deserves a default branch.
 */
export const is = <Answer extends { __typename?: string }, Name extends NonNullable<Answer["__typename"]>>(
  answer: Answer | null | undefined,
  name: Name,
): answer is Extract<Answer, { __typename?: Name }> => answer?.__typename === name;
