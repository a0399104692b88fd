// The week: a column for each day.
import { signal } from "@preact/signals";
import type { Visit } from "../api/client.ts";
import { homeToday, homeZone } from "../api/properties.ts";
import { openBooking } from "../booking/draft.ts";
import { Icon } from "../parts/icon.tsx";
import { dayNumber, spokenDay, weekdayName } from "../time/dates.ts";
import { type Day, plusDays, weekdayOf } from "../time/days.ts";
import { offsetName, timeAt } from "../time/zones.ts";
import { move } from "../visit/moves.ts";
import { say } from "../words/words.ts";
import type { Column } from "./column.ts";
import { byDay, onlyProperty } from "./filters.ts";
import { Grid } from "./grid.tsx";
import { shadesOf } from "./hours.ts";
import { days, focus, look } from "./view.ts";

const unfolded = signal<ReadonlySet<Day>>(new Set());

const clocksChange = (day: Day, zone: string): boolean =>
  offsetName(`${day}T00:00:00Z`, zone) !== offsetName(`${plusDays(day, 1)}T00:00:00Z`, zone);

export function Week({ onOpen }: { onOpen: (visit: Visit) => void }) {
  return (
    <Grid
      columns={days.value.map(columnOf)}
      least={0}
      shades={({ day }) => shadesOf(onlyProperty.value, day)}
      onOpen={onOpen}
      onDrop={(visit, day, minute) => void move(visit, { wall: `${day}T${timeAt(minute)}` })}
      onFree={(day, minute) => openBooking({ day, time: timeAt(minute), propertyId: onlyProperty.value })}
      onBundle={(day) => look({ view: "day", day })}
    />
  );
}

function columnOf(day: Day): Column {
  const words = say();
  const visits = byDay.value.get(day) ?? [];
  const today = day === homeToday();
  const folded = weekdayOf(day) === 6 && visits.length === 0 && day !== focus.value && !unfolded.value.has(day);
  const name = spokenDay(day);
  const change = clocksChange(day, homeZone.value);
  return {
    key: day,
    day,
    name: folded ? `${name}, ${words.noVisits}` : name,
    visits,
    today,
    wide: day === focus.value,
    folded,
    onUnfold: () => (unfolded.value = new Set(unfolded.value).add(day)),
    headClass: folded ? "shut" : today ? "today" : day < homeToday() ? "past" : "",
    head: folded ? (
      <span aria-hidden="true">{weekdayName(day).slice(0, 2)}</span>
    ) : (
      <>
        {weekdayName(day)} <b>{dayNumber(day)}</b>
        {change && (
          <span class="change" title={words.clocksChange}>
            <Icon name="clock" small />
            <span class="off">{words.clocksChange}</span>
          </span>
        )}
      </>
    ),
  };
}
