// The six states of a visit: a sign, a word, and what may follow.
import type { Status, Visit } from "../api/client.ts";
import { Icon, type Sign } from "../parts/icon.tsx";
import { say } from "../words/words.ts";

export const STATUSES: Status[] = ["requested", "confirmed", "completed", "no_show", "cancelled", "declined"];

const SIGNS: Record<Status, Sign> = {
  requested: "ask",
  confirmed: "check",
  completed: "tick2",
  no_show: "noshow",
  cancelled: "x",
  declined: "x",
};

export const signOf = (status: Status): Sign => SIGNS[status];
export const isOver = (status: Status): boolean => !holdsTime(status);
export const holdsTime = (status: Status): boolean => status === "requested" || status === "confirmed";
export const fellThrough = (status: Status): boolean => status === "cancelled" || status === "declined";
/** The class that draws it: a declined visit looks like a cancelled one. */
export const lookOf = (status: Status): string => (status === "declined" ? "cancelled" : status);
export const hasBegun = (visit: Visit, now: number): boolean => Date.parse(visit.date) <= now;

/** How far away it is, if that is soon. */
export function distance(visit: Visit, now: number): string {
  const minutes = Math.round((Date.parse(visit.date) - now) / 60_000);
  return minutes > 0 && minutes < 24 * 60 && holdsTime(visit.status) ? say().inTime(Math.floor(minutes / 60), minutes % 60) : "";
}

export function StatusMark({ status }: { status: Status }) {
  return (
    <span class={`status ${lookOf(status)}`}>
      <Icon name={SIGNS[status]} small />
      {say().status[status]}
    </span>
  );
}
