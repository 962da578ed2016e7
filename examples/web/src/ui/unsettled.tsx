// What was sent, and the bank has not answered: before a reload, a crash, or in a tab that was closed. It is sent again with its key.

import { useEffect, useState } from "react";
import { type Intent, unanswered } from "../bank/intents";
import type { Money } from "../bank/money";
import { useIntent } from "./actions";
import { useBank } from "./bank";
import { useLocale, useWord } from "./locale";
import { Button } from "./parts";
import { ProblemText } from "./problem";

export function Unsettled() {
  const { viewer } = useBank();
  const [found] = useState(() => unanswered(viewer.id));
  return <>{found.map((intent) => <UnsettledIntent key={intent.key} intent={intent} />)}</>;
}

function UnsettledIntent({ intent }: { intent: Intent }) {
  const { t, money } = useLocale();
  const word = useWord();
  const { progress, resume } = useIntent(intent.kind);
  const [isSeen, setSeen] = useState(false);
  useEffect(() => void resume(intent), [intent, resume]);
  if (isSeen || progress.at === "start") return null;
  const { amount: paid } = intent.input as { amount?: Money };
  const amount = paid ? money(paid) : "";
  const what = `${word("intent", intent.kind)} ${amount}`.trim();
  return (
    <aside className={`notice ${progress.at}`} aria-label={t("unsettled.label")}>
      {progress.at === "done" && <p role="status">{t("unsettled.done", { what })}</p>}
      {progress.at === "refused" && (
        <>
          <p>{t("unsettled.refused", { what })}</p>
          <ProblemText problem={progress.problem} />
        </>
      )}
      {(progress.at === "sending" || progress.at === "unanswered") && <p role="status">{t("unsettled.sending", { what })}</p>}
      {(progress.at === "done" || progress.at === "refused") && <Button className="small" onClick={() => setSeen(true)}>{t("close")}</Button>}
    </aside>
  );
}
