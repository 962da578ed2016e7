// What was sent, and no page shows: from before a reload or a crash, or of a page that was left. And what came of it.

import { useSyncExternalStore } from "react";
import type { Money } from "../bank/money";
import type { Item } from "../bank/outbox";
import { useBank } from "./bank";
import { useLocale, useWord } from "./locale";
import { Button } from "./parts";
import { ProblemText } from "./problem";

export function Unsettled() {
  const { outbox } = useBank();
  const items = useSyncExternalStore(outbox.subscribe, outbox.all);
  return <>{items.filter(({ isWatched }) => !isWatched).map((item) => <Notice key={item.intent.key} item={item} />)}</>;
}

function Notice({ item: { intent, progress } }: { item: Item }) {
  const { t, money, time } = useLocale();
  const word = useWord();
  const { outbox } = useBank();
  if (progress.at === "elsewhere") return null;
  const { amount } = intent.input as { amount?: Money };
  const what = `${word("intent", intent.kind)} ${amount ? money(amount) : ""}`.trim();
  const drop = () => outbox.drop(intent.key);
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
      {progress.at === "old" && (
        <>
          <p>{t("unsettled.old", { what, time: time(intent.createdAt) })}</p>
          <div className="actions">
            <Button className="small" onClick={() => outbox.confirm(intent.key)}>{t("unsettled.send")}</Button>
            <Button className="small" onClick={drop}>{t("unsettled.discard")}</Button>
          </div>
        </>
      )}
      {(progress.at === "done" || progress.at === "refused") && <Button className="small" onClick={drop}>{t("close")}</Button>}
    </aside>
  );
}
