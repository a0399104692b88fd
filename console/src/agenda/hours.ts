// When a property is closed, for the shade in the grid.
import { signal } from "@preact/signals";
import type { Schemas } from "../api/client.ts";
import { rulesOf } from "../api/properties.ts";
import { type Day, weekdayOf } from "../time/days.ts";

export const WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;

type Availability = Schemas["Availability"];
const known = signal<ReadonlyMap<string, Availability | null>>(new Map());
const asked = new Set<string>();

const minutes = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5));

/** The openings of a property on a day; nothing if it has no hours, and is always open. */
export function openings(hours: Pick<Availability, "weekly" | "dates">, day: Day): [number, number][] | null {
  const exception = hours.dates.find(({ from, to }) => from <= day && day <= to);
  const open = exception?.open ?? hours.weekly?.[WEEKDAYS[weekdayOf(day)] ?? "mon"];
  return open ? open.map(([from = "", to = ""]) => [minutes(from), minutes(to)]) : null;
}

export function shadesOf(propertyId: string | null, day: Day): [number, number][] {
  if (!propertyId) return [];
  if (!asked.has(propertyId)) void load(propertyId);
  const hours = known.value.get(propertyId);
  const open = hours ? openings(hours, day) : null;
  if (!open) return [];
  const edges = [0, ...open.flat(), 24 * 60];
  return Array.from({ length: edges.length / 2 }, (_, n) => [edges[2 * n] ?? 0, edges[2 * n + 1] ?? 0]);
}

export function forgetHours(propertyId: string): void {
  asked.delete(propertyId);
}

async function load(id: string): Promise<void> {
  asked.add(id);
  const answer = await rulesOf(id);
  known.value = new Map(known.value).set(id, answer.done ? answer.value : null);
}
