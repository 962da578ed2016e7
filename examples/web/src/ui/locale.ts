// Amounts, dates and words for the viewer's language.

import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { formatMoney, type Money, parseAmount } from "../bank/money";
import { localeOf } from "../i18n";

export function useLocale() {
  const { t, i18n } = useTranslation();
  const locale = localeOf(i18n.language);
  return useMemo(() => {
    const day = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
    const dayAlone = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone: "UTC" });
    const time = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
    return {
      t,
      locale,
      money: (money: Money) => formatMoney(money, locale),
      /** An amount as one would type it. */
      editable: ({ amount }: Money) =>
        new Intl.NumberFormat(locale, { useGrouping: false, minimumFractionDigits: amount.split(".")[1]?.length ?? 0, maximumFractionDigits: 20 })
          .format(amount as Intl.StringNumericLiteral),
      parse: (text: string, currency: string) => parseAmount(text, currency, locale),
      /** A date, e.g. 2026-11-28, or the day of a time. */
      day: (text: string) => (text.length === 10 ? dayAlone : day).format(new Date(text)),
      time: (text: string) => time.format(new Date(text)),
    };
  }, [t, locale]);
}

/** The word for a value of an enum. One that this version does not know is shown as it is: PARTLY_DONE as "partly done". */
export function useWord() {
  const { t, i18n } = useTranslation();
  return (group: string, value: string): string => {
    const key = `${group}.${value}`;
    return i18n.exists(key) ? t(key as never) : value.toLowerCase().replaceAll("_", " ");
  };
}
