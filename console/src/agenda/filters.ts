// Which visits are looked at: by property, agent and status.
import { computed, signal } from "@preact/signals";
import type { Status, Visit } from "../api/client.ts";
import { agents } from "../api/agents.ts";
import { visits } from "../api/visits.ts";
import { dayOf, wallOf } from "../time/zones.ts";

export const NOBODY = "";

export const onlyProperty = signal<string | null>(null);
export const hiddenAgents = signal<ReadonlySet<string>>(new Set());
export const hiddenStatuses = signal<ReadonlySet<Status>>(new Set());

export function toggled<T>(set: ReadonlySet<T>, item: T): ReadonlySet<T> {
  const next = new Set(set);
  if (!next.delete(item)) next.add(item);
  return next;
}

export const passes = (visit: Visit): boolean =>
  (onlyProperty.value === null || visit.propertyId === onlyProperty.value) &&
  !hiddenAgents.value.has(visit.agentId ?? NOBODY) &&
  !hiddenStatuses.value.has(visit.status);

/** The visits that pass, by the day that the property's clock shows, and in that clock's order. */
export const byDay = computed(() => {
  const days = new Map<string, Visit[]>();
  const clocks = [...visits.value.values()].filter(passes).map((visit) => ({ visit, wall: wallOf(visit.date, visit.timeZone) }));
  clocks.sort((one, other) => one.wall.localeCompare(other.wall) || one.visit.date.localeCompare(other.visit.date) || one.visit.id.localeCompare(other.visit.id));
  for (const { visit, wall } of clocks) {
    const day = days.get(dayOf(wall));
    if (day) day.push(visit);
    else days.set(dayOf(wall), [visit]);
  }
  return days;
});

/** Whose visits are looked at: of all, of this one, or of some. */
export function agentsShown(): "all" | "some" | { only: string } {
  if (hiddenAgents.value.size === 0) return "all";
  const ids = new Set([...agents.value.keys(), ...[...visits.value.values()].map((visit) => visit.agentId ?? NOBODY), NOBODY]);
  const [only, ...more] = [...ids].filter((id) => !hiddenAgents.value.has(id));
  return only && more.length === 0 ? { only } : "some";
}

export const isFiltered = (): boolean =>
  onlyProperty.value !== null || hiddenAgents.value.size > 0 || hiddenStatuses.value.size > 0;

export function showAll(): void {
  onlyProperty.value = null;
  hiddenAgents.value = new Set();
  hiddenStatuses.value = new Set();
}
