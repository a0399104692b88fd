// The properties whose names are on the screen.
import { signal } from "@preact/signals";
import type { Day } from "../time/days.ts";
import { browserZone, today } from "../time/zones.ts";
import { api, ask, type Outcome, type Property, type Schemas } from "./client.ts";

export const properties = signal<ReadonlyMap<string, Property>>(new Map());
const asked = new Set<string>();
const AT_ONCE = 6;

const HOME = "zone";
/** The zone of most properties: whose today and now it is. The device remembers it until they are known. */
export const homeZone = signal(localStorage.getItem(HOME) ?? browserZone());
export const homeToday = (): Day => today(homeZone.value);

export function putProperties(found: Iterable<Property>): void {
  const all = new Map(properties.value);
  for (const property of found) all.set(property.id, property);
  properties.value = all;
}

/** The first hundred, which is all of them for most agencies. */
export async function loadProperties(): Promise<void> {
  const answer = await ask(api.GET("/properties", { params: { query: { limit: 100 } } }));
  if (!answer.done) return;
  putProperties(answer.value.items);
  settle(answer.value.items);
}

function settle(known: Property[]): void {
  const counts = new Map<string, number>();
  for (const { timeZone } of known) counts.set(timeZone, (counts.get(timeZone) ?? 0) + 1);
  const [most] = [...counts].sort(([a, one], [b, other]) => other - one || a.localeCompare(b));
  if (!most) return;
  [homeZone.value] = most;
  localStorage.setItem(HOME, homeZone.value);
}

export async function loadProperty(id: string): Promise<Outcome<Property>> {
  const answer = await ask(api.GET("/properties/{propertyId}", { params: { path: { propertyId: id } } }));
  if (answer.done) putProperties([answer.value]);
  return answer;
}

/** When it may be visited, or null while nobody has said. The property tells which: a browser notes every 404. */
export async function rulesOf(id: string): Promise<Outcome<Schemas["Availability"] | null>> {
  const property = await loadProperty(id);
  if (!property.done) return property;
  if (!property.value.links?.availability) return { done: true, value: null, etag: "" };
  return ask(api.GET("/properties/{propertyId}/availability", { params: { path: { propertyId: id } } }));
}

/** Looks up those that are not known yet, each once. */
export async function nameProperties(ids: Iterable<string>): Promise<void> {
  const unknown = [...new Set(ids)].filter((id) => !properties.value.has(id) && !asked.has(id));
  for (const id of unknown) asked.add(id);
  const next = async (): Promise<void> => {
    for (let id = unknown.pop(); id !== undefined; id = unknown.pop()) await loadProperty(id);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
}

/** By a few letters of name or address. A page may be empty though more follow. */
export async function findProperties(letters: string): Promise<Property[]> {
  const found: Property[] = [];
  let cursor: string | null = null;
  do {
    const query = { q: letters, limit: 20, ...(cursor ? { cursor } : {}) };
    const answer: Awaited<ReturnType<typeof pageOfProperties>> = await pageOfProperties(query);
    if (!answer.done) return found;
    found.push(...answer.value.items);
    cursor = answer.value.nextCursor;
  } while (cursor && found.length < 8);
  putProperties(found);
  return found;
}

const pageOfProperties = (query: { q: string; limit: number; cursor?: string }) =>
  ask(api.GET("/properties", { params: { query } }));

/** What a person calls it: without the marks of sample data behind a name. */
export const propertyName = (id: string): string => properties.value.get(id)?.name ?? id;
export const addressOf = (id: string): string => properties.value.get(id)?.address ?? "";
