// Days and times as people write them: in the zone of the property, and in the visitor's own where that is another.
import type { Language } from "../language.ts";

const LOCALES: Record<Language, string> = { en: "en-GB", es: "es", de: "de", fr: "fr" };
export const DAY_MS = 86_400_000;
export const OWN_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

const formats = new Map<string, Intl.DateTimeFormat>();

function write(moment: string, zone: string, locale: string, options: Intl.DateTimeFormatOptions): string {
  const name = JSON.stringify([zone, locale, options]);
  let format = formats.get(name);
  if (!format) formats.set(name, (format = new Intl.DateTimeFormat(locale, { ...options, timeZone: zone })));
  return format.format(new Date(moment));
}

export const timeOf = (moment: string, zone: string): string =>
  write(moment, zone, "en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** A comma after the weekday is right where the language writes one; English does without. */
function day(moment: string, zone: string, language: Language, width: "short" | "long"): string {
  const text = write(moment, zone, LOCALES[language], { weekday: width, day: "numeric", month: width });
  return language === "en" ? text.replace(",", "") : text;
}

/** Friday 27 November; Freitag, 27. November */
export const longDay = (moment: string, zone: string, language: Language): string => day(moment, zone, language, "long");

/** Fri 27 Nov; Fr., 27. Nov. */
export const shortDay = (moment: string, zone: string, language: Language): string => day(moment, zone, language, "short");

export const weekday = (moment: string, zone: string, language: Language, width: "short" | "long"): string =>
  write(moment, zone, LOCALES[language], { weekday: width });

export const month = (moment: string, zone: string, language: Language, width: "short" | "long"): string =>
  write(moment, zone, LOCALES[language], { month: width });

/** 2026-11-27 */
export const dateOf = (moment: string, zone: string): string =>
  write(moment, zone, "en-CA", { year: "numeric", month: "2-digit", day: "2-digit" });

/** The time on the visitor's own clock, with the day where that is another; nothing where both clocks show the same. */
export function ownTime(moment: string, zone: string, language: Language): string {
  const time = timeOf(moment, OWN_ZONE);
  if (dateOf(moment, zone) !== dateOf(moment, OWN_ZONE)) return `${weekday(moment, OWN_ZONE, language, "short")} ${time}`;
  return time === timeOf(moment, zone) ? "" : time;
}

/** Europe/Berlin is Berlin. */
export const cityOf = (zone: string): string => (zone.split("/").pop() ?? zone).replaceAll("_", " ");

/** Noon of a date in UTC: a moment of that date in whatever is written in UTC. */
export const noonOf = (date: string): string => `${date}T12:00:00Z`;

export const daysAfter = (date: string, days: number): string =>
  new Date(Date.parse(noonOf(date)) + days * DAY_MS).toISOString().slice(0, 10);

export const plusMinutes = (moment: string, minutes: number): string =>
  new Date(Date.parse(moment) + minutes * 60_000).toISOString();
