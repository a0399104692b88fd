// Follows what others do: a visit booked elsewhere appears here without reloading.
import { loadAgents } from "./agents.ts";
import { api, ask } from "./client.ts";
import { loadProperty } from "./properties.ts";
import { person } from "./session.ts";
import { concerns, fetchVisit, freshness, reload } from "./visits.ts";

const PAUSE = 4_000;
const LONGER = 10_000;
const MOMENTS = 3_000;
const MANY = 12;
const GONE = 410;

let awake: () => void = () => {};

/** Until nobody is signed in any more. A page that nobody looks at does not ask. */
export async function followEvents(): Promise<void> {
  let cursor = "now";
  document.addEventListener("visibilitychange", () => !document.hidden && awake());
  addEventListener("online", () => awake());
  while (person.value) {
    const answer = await ask(api.GET("/events", { params: { query: { after: cursor, limit: 100 } } }));
    if (answer.done) {
      const missed = cursor === "now" ? [] : answer.value.items;
      // What was booked between the list and here.
      if (cursor === "now") setTimeout(() => void reload(), MOMENTS);
      cursor = answer.value.nextCursor;
      if (freshness.value.lost) await reload();
      await bring(missed);
      freshness.value = { ...freshness.value, asOf: freshness.value.lost ? freshness.value.asOf : Date.now() };
      if (missed.length === 100) continue;
    } else if (answer.refusal.status === GONE) {
      cursor = "now";
      await reload();
    } else if (answer.refusal.kind === "no-connection" || answer.refusal.status >= 500) {
      freshness.value = { ...freshness.value, lost: answer.refusal };
    }
    await pause(freshness.value.lost ? LONGER : PAUSE);
  }
}

export const tryNow = (): void => awake();

type Event = import("./client.ts").Schemas["Event"];

async function bring(events: Event[]): Promise<void> {
  const changed = new Set<string>();
  for (const { data } of events) {
    if ("agentId" in data && !("visitId" in data)) void loadAgents();
    else if (!("visitId" in data)) void loadProperty(data.propertyId);
    else if (concerns(data.visitId, [data.date, data.previousDate])) changed.add(data.visitId);
  }
  if (changed.size > MANY) await reload();
  else await Promise.all([...changed].map(fetchVisit));
}

async function pause(milliseconds: number): Promise<void> {
  await new Promise<void>((resolve) => {
    awake = resolve;
    setTimeout(resolve, milliseconds);
  });
  while (document.hidden) await new Promise<void>((resolve) => (awake = resolve));
}
