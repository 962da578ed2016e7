// The texts, in the language of the browser or the one that was chosen.

import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import { de } from "./de";
import { en } from "./en";
import { keep, load } from "../bank/storage";

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

const KEY = "bank.language";

declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "texts";
    resources: { texts: typeof en };
  }
}

const isLanguage = (tag: unknown): tag is Language => typeof tag === "string" && Object.hasOwn(LANGUAGES, tag);

function preferred(): Language {
  const stored = load<string>(KEY);
  if (isLanguage(stored)) return stored;
  return navigator.languages.map((tag) => tag.split("-")[0]).find(isLanguage) ?? "en";
}

/** The locale of amounts and dates: the browser's region for the chosen language, e.g. de-AT. */
export function localeOf(language: string): string {
  return navigator.languages.find((tag) => tag.split("-")[0] === language) ?? language;
}

export async function choose(language: Language): Promise<void> {
  try {
    keep(KEY, language);
  } catch {
    // Then it is chosen for this visit.
  }
  await i18next.changeLanguage(language);
}

i18next.on("languageChanged", (language) => {
  document.documentElement.lang = language;
});

void i18next.use(initReactI18next).init({
  lng: preferred(),
  fallbackLng: "en",
  defaultNS: "texts",
  resources: { en: { texts: en }, de: { texts: de } },
  interpolation: { escapeValue: false }, // React does
});
