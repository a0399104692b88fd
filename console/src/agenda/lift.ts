// A visit that is being moved, by pointer or by keys: where it would go, until it is kept or taken back.
import { signal } from "@preact/signals";
import type { Visit } from "../api/client.ts";

export const STEP = 15;

export interface Lifted {
  visit: Visit;
  column: string;
  minute: number;
  by: "pointer" | "keys";
}

export const lifted = signal<Lifted | null>(null);

export const liftedFrom = signal<{ column: string; minute: number } | null>(null);

export function lift(visit: Visit, column: string, minute: number, by: Lifted["by"]): void {
  liftedFrom.value = { column, minute };
  lifted.value = { visit, column, minute, by };
}

export function takeBack(): void {
  lifted.value = null;
  liftedFrom.value = null;
}
