// Beside the agenda: the month, and what is looked at.
import type { Status, Visit } from "../api/client.ts";
import { agentName, agents, hueOf } from "../api/agents.ts";
import { properties, propertyName } from "../api/properties.ts";
import { visits } from "../api/visits.ts";
import { Icon } from "../parts/icon.tsx";
import { dayOf, wallOf } from "../time/zones.ts";
import { signOf } from "../visit/status.tsx";
import { say } from "../words/words.ts";
import { hiddenAgents, hiddenStatuses, NOBODY, onlyProperty, toggled } from "./filters.ts";
import { Month } from "./month.tsx";
import { days } from "./view.ts";

const GROUPS: Status[][] = [["requested"], ["confirmed"], ["completed"], ["no_show"], ["cancelled", "declined"]];

export function Side() {
  const words = say();
  const shown = [...visits.value.values()].filter((visit) => days.value.includes(dayOf(wallOf(visit.date, visit.timeZone))));
  return (
    <aside class="side" aria-label={words.monthAndFilters}>
      <Month />
      <PropertyChoice shown={shown} />
      <AgentChoice shown={shown} />
      <fieldset class="filter">
        <legend class="lab">{words.statusTitle}</legend>
        {GROUPS.map((group) => {
          const [first] = group as [Status];
          const on = !hiddenStatuses.value.has(first);
          const flip = () => {
            hiddenStatuses.value = group.reduce<ReadonlySet<Status>>(toggled, hiddenStatuses.value);
          };
          return (
            <label key={first}>
              <input type="checkbox" checked={on} onChange={flip} />
              <Icon name={signOf(first)} />
              <span class="grow">{group.length > 1 ? words.cancelledOrDeclined : words.status[first]}</span>
              <span class="n">{shown.filter((visit) => group.includes(visit.status)).length}</span>
            </label>
          );
        })}
      </fieldset>
    </aside>
  );
}

function PropertyChoice({ shown }: { shown: Visit[] }) {
  const words = say();
  const ids = new Set([...properties.value.keys(), ...shown.map((visit) => visit.propertyId)]);
  const sorted = [...ids].sort((one, other) => propertyName(one).localeCompare(propertyName(other)));
  return (
    <div>
      <h2 id="property-filter">{words.property}</h2>
      <div class="in8">
        <select
          class="input"
          aria-labelledby="property-filter"
          value={onlyProperty.value ?? ""}
          onChange={(event) => (onlyProperty.value = event.currentTarget.value || null)}
        >
          <option value="">{words.allProperties}</option>
          {sorted.map((id) => (
            <option key={id} value={id}>
              {propertyName(id)}
            </option>
          ))}
        </select>
      </div>
    </div>
  );
}

function AgentChoice({ shown }: { shown: Visit[] }) {
  const words = say();
  const ids = new Set([...agents.value.keys(), ...shown.flatMap((visit) => visit.agentId ?? [])]);
  const sorted = [...ids].sort((one, other) => agentName(one).localeCompare(agentName(other)));
  const count = (id: string): number => shown.filter((visit) => (visit.agentId ?? NOBODY) === id).length;
  return (
    <fieldset class="filter">
      <legend class="lab">{words.agents}</legend>
      {[...sorted, NOBODY].map((id) => (
        <label key={id}>
          <input
            class={`tick ${hueOf(id || undefined)}`}
            type="checkbox"
            checked={!hiddenAgents.value.has(id)}
            onChange={() => (hiddenAgents.value = toggled(hiddenAgents.value, id))}
          />
          <span class="grow cut">{id ? agentName(id) : words.nobodyYet}</span>
          <span class="n">{count(id)}</span>
        </label>
      ))}
    </fieldset>
  );
}
