// Refusals in words. Each rejection that this version knows has a sentence with its figures; any other one says its own message.

import type { Rejection } from "../bank/rejections";
import type { Problem } from "./actions";
import { useLocale, useWord } from "./locale";
import { Refused, Unanswered } from "../bank/post";
import { NotStored } from "../bank/storage";

/** A mistake in a field, in the viewer's language if its code has a sentence there, or else in the bank's words. */
function inWords(word: ReturnType<typeof useWord>, field: string, code: string, message: string): string {
  const text = word("fieldCode", code);
  return text === code.toLowerCase().replaceAll("_", " ") ? message : `${word("fieldName", field)} ${text}.`;
}

/** A mistake in a field, in words. */
export function FieldMistake({ field, code, message }: { field: string; code: string; message: string }) {
  return inWords(useWord(), field, code, message);
}

export function useExplain() {
  const { t, money, time } = useLocale();
  const word = useWord();
  const explain = (rejection: Rejection): string => {
    switch (rejection.__typename) {
      case "InsufficientFundsRejection":
        return t("rejection.funds", { available: money(rejection.available), required: money(rejection.required) });
      case "AccountStatusRejection":
        return t("rejection.accountStatus", { status: word("accountStatus", rejection.accountStatus) });
      case "CurrencyMismatchRejection":
        return t("rejection.currency", { expected: rejection.expected, given: rejection.given });
      case "LimitExceededRejection":
        return t("rejection.limit", {
          window: word("limitWindow", rejection.limit.window),
          limit: money(rejection.limit.amount),
          remaining: money(rejection.limit.remaining),
        });
      case "StateConflictRejection":
        return word("conflict", rejection.conflict);
      case "IdempotencyConflictRejection":
        return t("rejection.key");
      case "BatchAbortedRejection":
        return t("rejection.batch");
      case "ApprovalRequiredRejection":
        return t("rejection.approval", { until: time(rejection.approval.expiresAt) });
      case "CredentialsRejection":
        return t("rejection.credentials");
      case "StepUpRequiredRejection":
        return t("rejection.stepUp");
      case "NotFoundRejection":
        return t("rejection.notFound");
      case "ForbiddenRejection":
        return t("rejection.forbidden");
      case "ValidationRejection":
        return rejection.fields.map(({ path, code, message }) => inWords(word, path.at(-1) ?? "", code, message)).join(" ");
      default:
        return (rejection as { message: string }).message; // of a type that came later
    }
  };
  return (problem: Problem): string => {
    if (problem instanceof Unanswered) return t("problem.unanswered");
    if (problem instanceof Refused) return problem.message;
    if (problem instanceof NotStored) return t("problem.notStored");
    if (problem instanceof Error) return t("problem.unknown");
    return explain(problem);
  };
}

export function ProblemText({ problem }: { problem: Problem }) {
  const explain = useExplain();
  return <p className="problem" role="alert">{explain(problem)}</p>;
}
