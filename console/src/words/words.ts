// The words of the console, in the language of the person.
import { signal } from "@preact/signals";
import { type Dictionary, keepLanguage, type Language, preferredLanguage, speak } from "../language.ts";
import type { Words } from "./en.ts";

const DICTIONARY: Dictionary<Words> = {
  en: () => import("./en.ts"),
  es: () => import("./es.ts"),
  de: () => import("./de.ts"),
  fr: () => import("./fr.ts"),
};

export const language = signal<Language>(preferredLanguage());
/** What the person asked for last; its words may still be on their way. */
export const wanted = signal<Language>(language.peek());
const spoken = signal<Words | null>(null);

/** What is said in the language of now. Whoever draws with it is drawn again when that changes. */
export function say(): Words {
  if (!spoken.value) throw new Error("no language is loaded yet");
  return spoken.value;
}

export async function speakNow(next: Language = language.value): Promise<void> {
  const words = await speak(DICTIONARY, next);
  language.value = next;
  spoken.value = words;
}

export async function choose(next: Language): Promise<void> {
  wanted.value = next;
  keepLanguage(next);
  await speakNow(next);
}
