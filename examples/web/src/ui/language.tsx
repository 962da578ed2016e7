// The choice of a language.

import { choose, type Language, LANGUAGES } from "../i18n";
import { useLocale } from "./locale";

export function LanguageChoice() {
  const { t, locale } = useLocale();
  return (
    <select aria-label={t("language")} value={locale.split("-")[0]} onChange={(event) => void choose(event.target.value as Language)}>
      {Object.entries(LANGUAGES).map(([tag, name]) => <option key={tag} value={tag} lang={tag}>{name}</option>)}
    </select>
  );
}
