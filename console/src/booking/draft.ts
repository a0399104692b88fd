// The visit that is being booked, while its dialog is open.
import { signal } from "@preact/signals";
import type { Day } from "../time/days.ts";

export interface Wish {
  day: Day;
  time?: string;
  propertyId?: string | null;
  agentId?: string;
}

export const wish = signal<Wish | null>(null);

export function openBooking(at: Wish): void {
  wish.value = at;
}

export function closeBooking(): void {
  wish.value = null;
}
