// Endless scrolling: what is below is read before one gets there; a button does the same for keyboards.

import { useEffect, useRef } from "react";
import { useLocale } from "./locale";
import { Button } from "./parts";

export function More({ has, busy, load }: { has: boolean; busy: boolean; load: () => void }) {
  const { t } = useLocale();
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!has || busy || !place.current) return;
    const watch = new IntersectionObserver(([entry]) => entry?.isIntersecting && load(), { rootMargin: "400px" });
    watch.observe(place.current);
    return () => watch.disconnect();
  }, [has, busy, load]);
  if (!has) return null;
  return <div ref={place} className="more"><Button onClick={load} busy={busy}>{t("more")}</Button></div>;
}
