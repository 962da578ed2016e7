// Forms: labels, mistakes beside their fields, and what the bank refused.

import { type FormEvent, type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, useId } from "react";
import type { Problem } from "./actions";
import { useLocale } from "./locale";
import { FieldMistake, ProblemText } from "./problem";
import { Button } from "./parts";

type FieldProps = InputHTMLAttributes<HTMLInputElement> & { label: string; hint?: ReactNode; mistake?: ReactNode };

export function Field({ label, hint, mistake, ...rest }: FieldProps) {
  const id = useId();
  const described = [hint && `${id}-hint`, mistake && `${id}-mistake`].filter(Boolean).join(" ");
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input id={id} aria-describedby={described || undefined} aria-invalid={mistake ? true : undefined} {...rest} />
      {hint && <p id={`${id}-hint`} className="hint">{hint}</p>}
      {mistake && <p id={`${id}-mistake`} className="mistake">{mistake}</p>}
    </div>
  );
}

export function Select({ label, children, ...rest }: SelectHTMLAttributes<HTMLSelectElement> & { label: string }) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select id={id} {...rest}>{children}</select>
    </div>
  );
}

type FormProps = {
  onSubmit: () => void;
  label: string;
  busy: boolean;
  problem?: Problem | null;
  onCancel?: () => void;
  kind?: "primary" | "danger";
  children?: ReactNode;
};

/** A form with one button that sends it. */
export function Form({ onSubmit, label, busy, problem, onCancel, kind = "primary", children }: FormProps) {
  const { t } = useLocale();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!busy) onSubmit();
  };
  return (
    <form onSubmit={submit}>
      {children}
      {problem && <ProblemText problem={problem} />}
      <div className="actions">
        <Button type="submit" kind={kind} busy={busy}>{label}</Button>
        {onCancel && <Button onClick={onCancel}>{busy ? t("close") : t("cancel")}</Button>}
      </div>
    </form>
  );
}

/** The mistake that the bank found in a field of the input, named by the last part of its path. */
export function mistakeIn(problem: Problem | null, field: string): ReactNode {
  if (!problem || problem instanceof Error || problem.__typename !== "ValidationRejection") return null;
  const found = problem.fields.find(({ path }) => path.includes(field));
  return found ? <FieldMistake field={field} code={found.code} message={found.message} /> : null;
}
