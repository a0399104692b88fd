// What the agenda shows: a day, a week or a list, and which day it is about.
import { computed, signal } from "@preact/signals";
import { homeToday } from "../api/properties.ts";
import { go, link, route } from "../route.ts";
import { type Day, daysFrom, isDay, mondayOf, plusDays } from "../time/days.ts";

export const VIEWS = ["day", "week", "list"] as const;
export type View = (typeof VIEWS)[number];

const NARROW = matchMedia("(max-width: 719px)");
export const narrow = signal(NARROW.matches);
NARROW.addEventListener("change", () => {
  narrow.value = NARROW.matches;
});

const KEPT = "view";

/** A telephone shows no week: its day is a list. */
export const view = computed<View>(() => {
  const asked = route.value.parts[0] ?? localStorage.getItem(KEPT);
  const wanted = VIEWS.find((one) => one === asked) ?? "week";
  return narrow.value && wanted === "week" ? "list" : wanted;
});

export const focus = computed<Day>(() => {
  const asked = route.value.parts[1];
  return isDay(asked) ? asked : homeToday();
});

/** The day that somebody who books from here begins with: the one that is looked at, if it is still to come. */
export const dayAhead = (): Day => (focus.value > homeToday() ? focus.value : homeToday());

export const days = computed<Day[]>(() => (view.value === "week" ? daysFrom(mondayOf(focus.value), 7) : [focus.value]));

export function look(at: { view?: View; day?: Day }): void {
  const next = at.view ?? view.value;
  localStorage.setItem(KEPT, next);
  go(link("agenda", [next, at.day ?? focus.value]));
}

export const step = (direction: 1 | -1): void =>
  look({ day: plusDays(focus.value, direction * (view.value === "week" ? 7 : 1)) });
export const toToday = (): void => look({ day: homeToday() });

/** The visit whose panel is open. */
export const chosen = computed<string | null>(() => route.value.query.get("visit"));
