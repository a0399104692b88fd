// The language of the person in front of the page, and how it writes numbers, days and times.
export const LANGUAGES = ["en", "es", "de", "fr"] as const;
export type Language = (typeof LANGUAGES)[number];

const KEPT = "language";

const isLanguage = (text: string | undefined): text is Language => LANGUAGES.some((language) => language === text);

/** The one that was chosen here, else the first of the browser's that we speak, else English. */
export function preferredLanguage(): Language {
  const wishes = [localStorage.getItem(KEPT) ?? "", ...navigator.languages];
  return wishes.map((wish) => wish.slice(0, 2).toLowerCase()).find(isLanguage) ?? "en";
}

export function keepLanguage(language: Language): void {
  localStorage.setItem(KEPT, language);
}

/** The words of a page in each language; only those that are needed are loaded. `de: () => import("./words/de.ts")` */
export type Dictionary<Words> = Record<Language, () => Promise<{ words: Words }>>;

/** Loads the words of a page, and tells the document which language it is in. */
export async function speak<Words>(dictionary: Dictionary<Words>, language: Language): Promise<Words> {
  const { words } = await dictionary[language]();
  document.documentElement.lang = language;
  return words;
}
