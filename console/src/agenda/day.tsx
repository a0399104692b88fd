// A day: a column for each agent or each property.
import { signal } from "@preact/signals";
import type { Visit } from "../api/client.ts";
import { agentName, agents, hueOf, initials } from "../api/agents.ts";
import { homeToday, propertyName } from "../api/properties.ts";
import { openBooking } from "../booking/draft.ts";
import { timeAt } from "../time/zones.ts";
import { move } from "../visit/moves.ts";
import { say } from "../words/words.ts";
import type { Column } from "./column.ts";
import { byDay, hiddenAgents, NOBODY, onlyProperty } from "./filters.ts";
import { Grid } from "./grid.tsx";
import { shadesOf } from "./hours.ts";
import { focus, look } from "./view.ts";

export type Across = "agents" | "properties";
export const across = signal<Across>("agents");

export function DayColumns({ onOpen }: { onOpen: (visit: Visit) => void }) {
  const day = focus.value;
  const byAgent = across.value === "agents";
  return (
    <Grid
      columns={byAgent ? agentColumns() : propertyColumns()}
      least={104}
      shades={({ key }) => shadesOf(byAgent ? onlyProperty.value : key, day)}
      onOpen={onOpen}
      onDrop={(visit, key, minute) => {
        const wall = `${day}T${timeAt(minute)}`;
        void move(visit, byAgent ? { wall, agentId: key || null } : { wall });
      }}
      onFree={(key, minute) =>
        openBooking({
          day,
          time: timeAt(minute),
          propertyId: byAgent ? onlyProperty.value : key || null,
          ...(byAgent && key ? { agentId: key } : {}),
        })
      }
      onBundle={() => look({ view: "list" })}
    />
  );
}

function agentColumns(): Column[] {
  const visits = byDay.value.get(focus.value) ?? [];
  const ids = new Set([...agents.value.keys(), ...visits.flatMap((visit) => visit.agentId ?? [])]);
  const shown = [...ids].filter((id) => !hiddenAgents.value.has(id));
  shown.sort((one, other) => agentName(one).localeCompare(agentName(other)));
  const nobody = visits.some((visit) => !visit.agentId) || shown.length === 0 ? [NOBODY] : [];
  return [...nobody, ...shown].map((id) => {
    const name = id ? agentName(id) : say().nobodyYet;
    const own = visits.filter((visit) => (visit.agentId ?? NOBODY) === id);
    return column(id, name, own, <span class={`who ${hueOf(id || undefined)}`}>{id ? initials(name) : "–"}</span>);
  });
}

function propertyColumns(): Column[] {
  const visits = byDay.value.get(focus.value) ?? [];
  const ids = [...new Set(visits.map((visit) => visit.propertyId))];
  ids.sort((one, other) => propertyName(one).localeCompare(propertyName(other)));
  if (ids.length === 0) return [column("", say().noVisits, [], null)];
  return ids.map((id) => column(id, propertyName(id), visits.filter((visit) => visit.propertyId === id), null));
}

function column(key: string, name: string, visits: Visit[], mark: preact.ComponentChild): Column {
  return {
    key,
    day: focus.value,
    name,
    visits,
    today: focus.value === homeToday(),
    wide: true,
    folded: false,
    headClass: "named",
    head: (
      <>
        {mark}
        <span class="cut">{name}</span>
      </>
    ),
  };
}
