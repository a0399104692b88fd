// The visits that wait for an answer.
import { computed, signal } from "@preact/signals";
import { api, ask, everything, type Visit } from "../api/client.ts";
import { nameProperties } from "../api/properties.ts";
import { visits } from "../api/visits.ts";

const loaded = signal<ReadonlyMap<string, Visit>>(new Map());

/** As they stand now: what was answered meanwhile is gone, what came in is there. */
export const waiting = computed<Visit[]>(() => {
  const all = new Map(loaded.value);
  const now = Date.now();
  for (const visit of visits.value.values()) all.set(visit.id, visit);
  return [...all.values()]
    .filter((visit) => visit.status === "requested" && Date.parse(visit.date) > now)
    .sort(inTurn);
});

export const inTurn = (one: Visit, other: Visit): number => one.date.localeCompare(other.date) || one.id.localeCompare(other.id);

export async function loadRequests(): Promise<void> {
  const query = { status: ["requested" as const], from: new Date().toISOString(), limit: 100 };
  const answer = await everything((cursor) => ask(api.GET("/visits", { params: { query: { ...query, ...cursor } } })));
  if (!answer.done) return;
  loaded.value = new Map(answer.value.map((visit) => [visit.id, visit]));
  void nameProperties(answer.value.map((visit) => visit.propertyId));
}
