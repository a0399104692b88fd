// The visits on the screen: loaded for a range of days, changed here, and followed while others change them.
import { signal } from "@preact/signals";
import { type Day, plusDays, utcOf } from "../time/days.ts";
import { api, ask, type Outcome, type Refusal, type Schemas, type Status, type Visit, versionTag } from "./client.ts";
import { nameProperties } from "./properties.ts";

export interface Range {
  first: Day;
  last: Day;
}

export const visits = signal<ReadonlyMap<string, Visit>>(new Map());
export const saving = signal<ReadonlySet<string>>(new Set());
/** When the screen was last known to be right, and why it may not be now. */
export const freshness = signal<{ loading: boolean; asOf: number | null; lost: Refusal | null }>({
  loading: true,
  asOf: null,
  lost: null,
});

/** A list is written moments after the visit: what was seen by itself stays that long. */
const MOMENTS = 20_000;
const seen = new Map<string, number>();
let shown: Range | null = null;
let turn = 0;

/** Loads the visits of these days, wherever on earth they are. What is there stays until the answer is. */
export async function show(range: Range): Promise<void> {
  const mine = ++turn;
  const moved = shown?.first !== range.first || shown.last !== range.last;
  shown = range;
  freshness.value = { ...freshness.value, loading: moved || freshness.value.asOf === null };
  const found = new Map<string, Visit>();
  let cursor: string | null = null;
  do {
    const answer: Outcome<Schemas["VisitPage"]> = await page(range, cursor);
    if (mine !== turn) return;
    if (!answer.done) {
      freshness.value = { ...freshness.value, loading: false, lost: answer.refusal };
      return;
    }
    for (const visit of answer.value.items) found.set(visit.id, visit);
    cursor = answer.value.nextCursor;
    // A long list is shown as it comes; what was there before goes when all is.
    if (cursor && moved) visits.value = new Map([...visits.value, ...found]);
  } while (cursor);
  visits.value = keepNewest(found);
  freshness.value = { loading: false, asOf: Date.now(), lost: null };
  void nameProperties([...found.values()].map((visit) => visit.propertyId));
}

export async function reload(): Promise<void> {
  if (shown) await show(shown);
}

function page({ first, last }: Range, cursor: string | null): Promise<Outcome<Schemas["VisitPage"]>> {
  // Days begin up to 14 hours before UTC's and end up to 12 hours after it.
  const from = new Date(utcOf(first).getTime() - 14 * 3_600_000).toISOString();
  const to = new Date(utcOf(plusDays(last, 1)).getTime() + 12 * 3_600_000).toISOString();
  return ask(api.GET("/visits", { params: { query: { from, to, limit: 100, ...(cursor ? { cursor } : {}) } } }));
}

function keepNewest(found: Map<string, Visit>): Map<string, Visit> {
  const since = Date.now() - MOMENTS;
  for (const [id, at] of seen) {
    const known = visits.value.get(id);
    const listed = found.get(id);
    if (at < since) seen.delete(id);
    else if (known && (!listed || listed.version < known.version)) found.set(id, known);
  }
  return found;
}

/** Shows a visit as it is now, unless something newer is shown. */
export function put(visit: Visit): void {
  seen.set(visit.id, Date.now());
  const known = visits.value.get(visit.id);
  if (known && known.version > visit.version) return;
  visits.value = new Map(visits.value).set(visit.id, visit);
}

export async function fetchVisit(id: string): Promise<Outcome<Visit>> {
  const answer = await ask(api.GET("/visits/{visitId}", { params: { path: { visitId: id } } }));
  if (answer.done) {
    put(answer.value);
    void nameProperties([answer.value.propertyId]);
  }
  return answer;
}

export type Change = Schemas["ChangeVisitInput"];

/** Changes a visit, which looks changed at once, and goes back if it could not be. */
export function change(visit: Visit, changes: Change, preview: Visit, lenient = ""): Promise<Outcome<Visit>> {
  const header = { "If-Match": versionTag(visit), ...(lenient ? { Prefer: lenient } : {}) };
  return hopefully(visit, preview, () =>
    ask(api.PATCH("/visits/{visitId}", { params: { path: { visitId: visit.id }, header }, body: changes })),
  );
}

export function setStatus(visit: Visit, status: Status, reason = ""): Promise<Outcome<Visit>> {
  const params = { path: { visitId: visit.id }, header: { "If-Match": versionTag(visit) } };
  const body = { status, ...(reason ? { reason } : {}) };
  return hopefully(visit, { ...visit, status }, () => ask(api.PUT("/visits/{visitId}/status", { params, body })));
}

async function hopefully(visit: Visit, preview: Visit, call: () => Promise<Outcome<Visit>>) {
  saving.value = new Set(saving.value).add(visit.id);
  visits.value = new Map(visits.value).set(visit.id, preview);
  const outcome = await call();
  const still = new Set(saving.value);
  still.delete(visit.id);
  saving.value = still;
  // What an event has brought in meanwhile is newer than both.
  const known = visits.value.get(visit.id);
  if (!known || known.version <= visit.version) {
    visits.value = new Map(visits.value).set(visit.id, outcome.done ? outcome.value : visit);
    seen.set(visit.id, Date.now());
  }
  // Somebody was faster, or nobody knows: look how it stands.
  if (!outcome.done && (outcome.refusal.status === 412 || outcome.refusal.status >= 500)) await fetchVisit(visit.id);
  return outcome;
}

export const inRange = (from: string, day: Range | null): boolean =>
  day !== null && from >= plusDays(day.first, -1) && from.slice(0, 10) <= plusDays(day.last, 1);

/** Whether a change concerns what is on the screen. */
export function concerns(id: string, dates: (string | null | undefined)[]): boolean {
  return visits.value.has(id) || dates.some((date) => date && inRange(date, shown));
}

export type Notices = Schemas["Notices"];

/** What is known of the mail about a visit. */
export const noticesOf = (id: string): Promise<Outcome<Notices>> => ask(api.GET("/visits/{visitId}/notices", { params: { path: { visitId: id } } }));
