// A column of hours, and how far down in it a visit stands.
import type { ComponentChildren } from "preact";
import type { Visit } from "../api/client.ts";
import { minuteOf, wallOf } from "../time/zones.ts";

export interface Column {
  key: string;
  day: string;
  head: ComponentChildren;
  headClass: string;
  name: string;
  visits: Visit[];
  today: boolean;
  wide: boolean;
  folded: boolean;
  onUnfold?: () => void;
}

/** When it begins, in minutes of the day that the property's clock shows. */
export const minuteIn = (visit: Visit): number => minuteOf(wallOf(visit.date, visit.timeZone));
