// A month to choose a day from.
import { useSignal } from "@preact/signals";
import { homeToday } from "../api/properties.ts";
import { Icon } from "../parts/icon.tsx";
import { monthOf, spokenDay, weekdayName } from "../time/dates.ts";
import { dayNumber } from "../time/dates.ts";
import { type Day, daysFrom, firstOfMonth, mondayOf, plusMonths } from "../time/days.ts";
import { say } from "../words/words.ts";
import { byDay } from "./filters.ts";
import { days, focus, look, view } from "./view.ts";

export function Month() {
  const turned = useSignal<Day | null>(null);
  const words = say();
  const month = turned.value ?? firstOfMonth(focus.value);
  const grid = daysFrom(mondayOf(month), 42);
  const chosen = new Set(days.value);
  const waits = (day: Day): boolean => byDay.value.get(day)?.some((visit) => visit.status === "requested") ?? false;
  const classOf = (day: Day): string =>
    [
      day.slice(0, 7) === month.slice(0, 7) ? "" : "out",
      chosen.has(day) ? "wk" : "",
      day === days.value[0] ? "first" : "",
      day === days.value.at(-1) ? "last" : "",
      waits(day) ? "has" : "",
    ].join(" ");
  return (
    <div class="month">
      <div class="top">
        <span>{monthOf(month)}</span>
        <button type="button" class="btn bare icon" aria-label={words.monthBefore} onClick={() => (turned.value = plusMonths(month, -1))}>
          <Icon name="left" />
        </button>
        <button type="button" class="btn bare icon" aria-label={words.monthAfter} onClick={() => (turned.value = plusMonths(month, 1))}>
          <Icon name="right" />
        </button>
      </div>
      {grid.slice(0, 7).map((day) => (
        <span key={day} class="wd" aria-hidden="true">
          {weekdayName(day).slice(0, 2)}
        </span>
      ))}
      {grid.map((day) => (
        <button
          key={day}
          type="button"
          class={classOf(day)}
          aria-label={spokenDay(day) + (waits(day) ? `, ${words.requestsWait}` : "")}
          {...(day === homeToday() ? { "aria-current": "date" as const } : {})}
          onClick={() => {
            turned.value = null;
            look({ day, view: view.value });
          }}
        >
          {dayNumber(day)}
        </button>
      ))}
    </div>
  );
}
