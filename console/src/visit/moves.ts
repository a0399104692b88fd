// Moving a visit to another time or agent, with the way back.
import type { Agent, Refusal, Visit } from "../api/client.ts";
import { may } from "../api/session.ts";
import { type Change, change, visits } from "../api/visits.ts";
import { tell } from "../parts/toast.tsx";
import { clockTime, shortDay } from "../time/dates.ts";
import { dayOf, instantOf, timeOf, type Wall, wallOf } from "../time/zones.ts";
import { agentName } from "../api/agents.ts";
import { propertyName } from "../api/properties.ts";
import { say } from "../words/words.ts";
import { refused } from "./refusals.ts";

export interface Move {
  wall?: Wall;
  /** The instant itself, where it is known: a clock shows some times twice. */
  start?: string;
  agentId?: Agent["id"] | null;
}

/** Moves it; a refusal puts it back and says why, and outside the hours offers to do it all the same. */
export async function move(visit: Visit, to: Move, lenient = ""): Promise<void> {
  const date = to.start ?? (to.wall ? instantOf(to.wall, visit.timeZone) : visit.date);
  const moved = Date.parse(date) !== Date.parse(visit.date);
  const reassigned = to.agentId !== undefined && (to.agentId ?? undefined) !== visit.agentId;
  if (!moved && !reassigned) return;
  const changes: Change = { ...(moved ? { date } : {}), ...(reassigned ? { agentId: to.agentId ?? null } : {}) };
  const outcome = await change(visit, changes, preview(visit, { ...to, date }), lenient);
  if (!outcome.done) {
    tellRefusal(visit, to, outcome.refusal);
    return;
  }
  const { value } = outcome;
  const words = say();
  tell({
    text: moved ? words.movedTo(whenOf(value)) : words.givenTo(value.agentId ? agentName(value.agentId) : words.nobodyYet),
    acts: [{ label: words.undo, act: () => void undo(visit, value.id) }],
  });
}

/** The visit as it will be; with nobody's name once it is nobody's. */
function preview({ agentId, ...visit }: Visit, to: { date: string; agentId?: Agent["id"] | null }): Visit {
  const whose = to.agentId === undefined ? agentId : to.agentId;
  return { ...visit, date: to.date, ...(whose ? { agentId: whose } : {}) };
}

/** What was is tried once more, outside the hours too: it was there a moment ago. */
async function undo(before: Visit, id: string): Promise<void> {
  const now = visits.value.get(id);
  if (!now) return;
  const lenient = may("override") ? "handling=lenient" : "";
  const back = { date: before.date, agentId: before.agentId ?? null };
  const outcome = await change(now, back, preview(now, back), lenient);
  if (outcome.done) tell({ text: say().movedBack(whenOf(outcome.value)) });
  else tellRefusal(now, { wall: wallOf(before.date, before.timeZone) }, outcome.refusal);
}

export function whenOf(visit: Visit): string {
  const wall = wallOf(visit.date, visit.timeZone);
  return `${shortDay(dayOf(wall))}, ${clockTime(visit.date, visit.timeZone)}`;
}

function tellRefusal(visit: Visit, to: Move, refusal: Refusal): void {
  const words = say();
  const why = refused(refusal, { property: propertyName(visit.propertyId), time: to.wall ? timeOf(to.wall) : "" });
  const acts = [];
  const again = () => visits.value.get(visit.id) ?? visit;
  if (refusal.kind === "outside-hours" && may("override")) {
    acts.push({ label: words.moveAnyway, act: () => void move(again(), to, "handling=lenient") });
  } else if (refusal.status === 0 || refusal.status >= 500 || refusal.status === 412) {
    acts.push({ label: words.tryAgain, act: () => void move(again(), to) });
  }
  tell({ text: why.title, more: `${why.text} ${words.putBack}`, bad: true, acts });
}
