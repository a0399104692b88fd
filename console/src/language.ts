// The language of the person in front of the page, and how it writes numbers, days and times.
export const LANGUAGES = ["en", "es", "de", "fr"] as const;
export type Language = (typeof LANGUAGES)[number];

const KEPT = "language";

const isLanguage = (text: string | undefined): text is Language => LANGUAGES.some((language) => language === text);

/** The one that was chosen here, else the first of the browser's that we speak, if there is one. */
export function wishedLanguage(): Language | undefined {
  const wishes = [keptLanguage(), ...navigator.languages];
  return wishes.map((wish) => wish.slice(0, 2).toLowerCase()).find(isLanguage);
}

export const preferredLanguage = (): Language => wishedLanguage() ?? "en";

// In a frame of another site the browser may let nothing be kept.
function keptLanguage(): string {
  try {
    return localStorage.getItem(KEPT) ?? "";
  } catch {
    return "";
  }
}

export function keepLanguage(language: Language): void {
  try {
    localStorage.setItem(KEPT, language);
  } catch {
    // Then it is the browser's again the next time.
  }
}

/** The words of a page in each language; only those that are needed are loaded. `de: () => import("./words/de.ts")` */
export type Dictionary<Words> = Record<Language, () => Promise<{ words: Words }>>;

/** Loads the words of a page, and tells the document which language it is in. */
export async function speak<Words>(dictionary: Dictionary<Words>, language: Language): Promise<Words> {
  const { words } = await dictionary[language]();
  document.documentElement.lang = language;
  return words;
}
