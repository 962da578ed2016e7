// Small parts that pages are made of.

import { type ButtonHTMLAttributes, type ReactNode, useEffect, useId, useRef } from "react";
import { Link } from "wouter";
import type { Money } from "../bank/money";
import { useLocale, useWord } from "./locale";

/** A page: its heading gets the focus, so that screen readers say where one is. */
export function Page({ title, children, aside }: { title: string; children: ReactNode; aside?: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  const { t } = useLocale();
  useEffect(() => {
    document.title = `${title} – ${t("bank")}`;
  }, [title, t]);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <>
      <header className="page">
        <h1 ref={heading} tabIndex={-1}>{title}</h1>
        {aside}
      </header>
      {children}
    </>
  );
}

export function Section({ title, children, aside, className = "" }: { title: string; children: ReactNode; aside?: ReactNode; className?: string }) {
  const id = useId();
  return (
    <section aria-labelledby={id} className={`card ${className}`}>
      <header>
        <h2 id={id}>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

export function Amount({ of, signed = false, className = "" }: { of: Money; signed?: boolean; className?: string }) {
  const { money } = useLocale();
  const isNegative = of.amount.startsWith("-");
  const sign = signed && !isNegative && /[1-9]/.test(of.amount) ? "+" : "";
  return <span className={`amount ${isNegative ? "negative" : sign && "positive"} ${className}`}>{sign + money(of)}</span>;
}

/** The word for a value of an enum, as a mark. */
export function Mark({ group, value }: { group: string; value: string }) {
  const word = useWord();
  return <span className={`mark ${value.toLowerCase()}`}>{word(group, value)}</span>;
}

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & { kind?: "primary" | "plain" | "danger"; busy?: boolean };

export function Button({ kind = "plain", busy = false, children, ...rest }: ButtonProps) {
  return (
    <button type="button" className={kind} {...rest} aria-disabled={busy || undefined} onClick={busy ? (event) => event.preventDefault() : rest.onClick}>
      {children}
      {busy && <span className="spinner" aria-hidden="true" />}
    </button>
  );
}

export const Empty = ({ children }: { children: ReactNode }) => <p className="empty">{children}</p>;

export function Loading() {
  const { t } = useLocale();
  return <p className="loading" role="status"><span className="spinner" aria-hidden="true" /> {t("loading")}</p>;
}

/** A page or a part could not be read. */
export function Failure({ retry }: { retry: () => void }) {
  const { t } = useLocale();
  return (
    <div className="problem" role="alert">
      <p>{t("problem.unread")}</p>
      <Button onClick={retry}>{t("retry")}</Button>
    </div>
  );
}

export function Copyable({ text }: { text: string }) {
  const { t } = useLocale();
  return (
    <span className="copyable">
      <code>{text}</code>{" "}
      <Button className="small plain" onClick={() => void navigator.clipboard?.writeText(text)}>{t("copy")}</Button>
    </span>
  );
}

export const ButtonLink = ({ to, kind = "primary", children }: { to: string; kind?: string; children: ReactNode }) => (
  <Link href={to} className={`button ${kind}`}>{children}</Link>
);

/** An IBAN in groups of four, to read. */
export const grouped = (number: string): string => number.replace(/(.{4})(?=.)/g, "$1 ");
