// Wall clocks and instants, in a named zone. A wall time is `2026-11-26T15:00`.
import type { Day } from "./days.ts";

export type Wall = string;

const clocks = new Map<string, Intl.DateTimeFormat>();

function clockOf(zone: string): Intl.DateTimeFormat {
  let clock = clocks.get(zone);
  if (!clock) {
    const digits = "2-digit";
    clock = new Intl.DateTimeFormat("en-CA", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: digits,
      day: digits,
      hour: digits,
      minute: digits,
    });
    clocks.set(zone, clock);
  }
  return clock;
}

/** What a clock in the zone shows at an instant. */
export function wallOf(instant: string | number, zone: string): Wall {
  const parts = new Map(clockOf(zone).formatToParts(new Date(instant)).map((part) => [part.type, part.value]));
  const part = (type: Intl.DateTimeFormatPartTypes): string => parts.get(type) ?? "";
  return `${part("year")}-${part("month")}-${part("day")}T${part("hour")}:${part("minute")}`;
}

export const dayOf = (wall: Wall): Day => wall.slice(0, 10);
export const timeOf = (wall: Wall): string => wall.slice(11, 16);
export const minuteOf = (wall: Wall): number => Number(wall.slice(11, 13)) * 60 + Number(wall.slice(14, 16));
export const timeAt = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;

const offsetAt = (instant: number, zone: string): number => Date.parse(`${wallOf(instant, zone)}Z`) - instant;

/**
 * When a clock in the zone shows a wall time, as RFC 5545 and Temporal have it: the first of two, and the offset before a
 * gap for a time that is skipped.
 */
export function instantOf(wall: Wall, zone: string): string {
  const utc = Date.parse(`${wall}Z`);
  const before = offsetAt(utc - 86_400_000, zone);
  const after = offsetAt(utc + 86_400_000, zone);
  const fits = [utc - before, utc - after].filter((instant) => wallOf(instant, zone) === wall);
  return new Date(fits.length > 0 ? Math.min(...fits) : utc - before).toISOString().replace(".000Z", "Z");
}

/** Whether the clock shows this wall time twice, so that it takes an offset to tell which is meant. */
export const isDoubled = (instant: string, zone: string): boolean => {
  const at = Date.parse(instant);
  const wall = wallOf(at, zone);
  return [-7_200_000, -3_600_000, -1_800_000, 1_800_000, 3_600_000, 7_200_000].some(
    (shift) => wallOf(at + shift, zone) === wall,
  );
};

/** `UTC+1`, `UTC-3:30`. */
export function offsetName(instant: string | number, zone: string): string {
  const minutes = Math.round(offsetAt(Math.floor(new Date(instant).getTime() / 60_000) * 60_000, zone) / 60_000);
  if (minutes === 0) return "UTC";
  const rest = Math.abs(minutes) % 60;
  const hours = Math.floor(Math.abs(minutes) / 60);
  return `UTC${minutes < 0 ? "−" : "+"}${hours}${rest ? `:${String(rest).padStart(2, "0")}` : ""}`;
}

/** `Europe/Berlin` is `Berlin` to whoever works there. */
export const placeOf = (zone: string): string => (zone.split("/").pop() ?? zone).replaceAll("_", " ");

export const browserZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;
export const today = (zone: string): Day => dayOf(wallOf(Date.now(), zone));
