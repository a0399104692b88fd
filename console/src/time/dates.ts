// Days and times as people write them, in the language of the page.
import { language } from "../words/words.ts";
import { type Day, utcOf } from "./days.ts";
import { isDoubled, offsetName, timeOf, wallOf, type Wall } from "./zones.ts";

const LOCALES = { en: "en-GB", es: "es", de: "de", fr: "fr" } as const;

const formats = new Map<string, Intl.DateTimeFormat>();

/** A comma after the weekday is right where the language writes one; English does without. */
function written(day: Day, options: Intl.DateTimeFormatOptions): string {
  const locale = LOCALES[language.value];
  const key = `${locale} ${JSON.stringify(options)}`;
  const format = formats.get(key) ?? new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" });
  formats.set(key, format);
  const text = format.format(utcOf(day));
  return language.value === "en" ? text.replaceAll(",", "") : text;
}

/** Thu 26 Nov */
export const shortDay = (day: Day): string => written(day, { weekday: "short", day: "numeric", month: "short" });
/** Thursday 26 November 2026 */
export const longDay = (day: Day): string =>
  written(day, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
/** Thursday 26 November */
export const spokenDay = (day: Day): string => written(day, { weekday: "long", day: "numeric", month: "long" });
export const monthOf = (day: Day): string => written(day, { month: "long", year: "numeric" });
export const weekdayName = (day: Day): string => written(day, { weekday: "short" }).replace(".", "");
export const weekdayLong = (day: Day): string => written(day, { weekday: "long" });
export const dayNumber = (day: Day): string => String(Number(day.slice(8)));

/** 23–29 November 2026 */
export function weekTitle(first: Day, last: Day): string {
  const format = new Intl.DateTimeFormat(LOCALES[language.value], {
    day: "numeric",
    month: "long",
    year: "numeric",
    timeZone: "UTC",
  });
  return format.formatRange(utcOf(first), utcOf(last)).replaceAll(" – ", "–").replaceAll(" – ", "–");
}

/** What the clock shows; with the offset when it shows that twice that day. */
export function clockTime(instant: string, zone: string): string {
  const time = timeOf(wallOf(instant, zone));
  return isDoubled(instant, zone) ? `${time} (${offsetName(instant, zone)})` : time;
}

/** Today, 11:42 or Thu 26 Nov, 11:42, in the zone of whoever reads it. */
export function moment(instant: string, zone: string): string {
  const wall: Wall = wallOf(instant, zone);
  return `${shortDay(wall.slice(0, 10))}, ${timeOf(wall)}`;
}

export const money = (price: number, currency: string): string =>
  new Intl.NumberFormat(LOCALES[language.value], { style: "currency", currency, maximumFractionDigits: 0 }).format(price);
