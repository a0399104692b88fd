// Visits side by side: who shares a time with whom, and which lane each takes.
import type { Visit } from "../api/client.ts";
import { fellThrough } from "../visit/status.tsx";

/** A visit with its wall time in minutes of the day, as it is drawn. */
export interface Entry {
  visit: Visit;
  start: number;
  end: number;
}

export interface Placed extends Entry {
  lane: number;
  lanes: number;
}

/** The visits of one time that have no lane of their own. */
export interface Bundle {
  visits: Visit[];
  start: number;
  end: number;
  lane: number;
  lanes: number;
}

export interface Laid {
  placed: Placed[];
  bundles: Bundle[];
}

/** Entries whose boxes touch, directly or through others, form a group. Each takes the first lane that is free. */
export function lay(entries: Entry[], most: number): Laid {
  const laid: Laid = { placed: [], bundles: [] };
  for (const group of groups(entries)) layGroup(group, most, laid);
  return laid;
}

function groups(entries: Entry[]): Entry[][] {
  const sorted = [...entries].sort(
    (one, other) => one.start - other.start || other.end - one.end || one.visit.id.localeCompare(other.visit.id),
  );
  const found: Entry[][] = [];
  let end = -1;
  for (const entry of sorted) {
    if (entry.start >= end) found.push([]);
    found[found.length - 1]?.push(entry);
    end = Math.max(end, entry.end);
  }
  return found;
}

function layGroup(group: Entry[], most: number, laid: Laid): void {
  const byWeight = [...group.filter((e) => !fellThrough(e.visit.status)), ...group.filter((e) => fellThrough(e.visit.status))];
  const lanes: Entry[][] = [];
  for (const entry of byWeight) {
    const free = lanes.find((lane) => lane.every((other) => other.end <= entry.start || other.start >= entry.end));
    if (free) free.push(entry);
    else lanes.push([entry]);
  }
  const count = Math.min(lanes.length, most);
  const whole = lanes.length > most ? most - 1 : lanes.length;
  lanes.slice(0, whole).forEach((lane, n) => {
    laid.placed.push(...lane.map((entry) => ({ ...entry, lane: n, lanes: count })));
  });
  for (const rest of groups(lanes.slice(whole).flat())) {
    const [only] = rest;
    if (rest.length === 1 && only) laid.placed.push({ ...only, lane: count - 1, lanes: count });
    else {
      laid.bundles.push({
        visits: rest.map((entry) => entry.visit),
        start: Math.min(...rest.map((entry) => entry.start)),
        end: Math.max(...rest.map((entry) => entry.end)),
        lane: count - 1,
        lanes: count,
      });
    }
  }
}
