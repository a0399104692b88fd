// The properties whose names are on the screen.
import { signal } from "@preact/signals";
import { api, ask, type Property } from "./client.ts";

export const properties = signal<ReadonlyMap<string, Property>>(new Map());
const asked = new Set<string>();
const AT_ONCE = 6;

export function putProperties(found: Iterable<Property>): void {
  const all = new Map(properties.value);
  for (const property of found) all.set(property.id, property);
  properties.value = all;
}

/** The first hundred, which is all of them for most agencies. */
export async function loadProperties(): Promise<void> {
  const answer = await ask(api.GET("/properties", { params: { query: { limit: 100 } } }));
  if (answer.done) putProperties(answer.value.items);
}

export async function loadProperty(id: string): Promise<void> {
  const answer = await ask(api.GET("/properties/{propertyId}", { params: { path: { propertyId: id } } }));
  if (answer.done) putProperties([answer.value]);
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
