// A dialog, by the browser's own element: it keeps the focus inside, and gives it back.

import { type ReactNode, useEffect, useId, useRef } from "react";
import type { Problem } from "./actions";
import { Form } from "./form";

export function Dialog({ title, onClose, children }: { title: string; onClose: () => void; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const shown = dialog.current;
    const before = document.activeElement;
    shown?.showModal();
    return () => {
      shown?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  );
}

type ConfirmProps = {
  /** Also what the button says. */
  title: string;
  text: string;
  action: { isRunning: boolean; problem: Problem | null };
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
};

/** Have somebody confirm what cannot be undone. */
export function Confirm({ title, text, action, onConfirm, onClose }: ConfirmProps) {
  return (
    <Dialog title={title} onClose={onClose}>
      <Form kind="danger" label={title} busy={action.isRunning} problem={action.problem} onCancel={onClose} onSubmit={() => void onConfirm()}>
        <p>{text}</p>
      </Form>
    </Dialog>
  );
}
