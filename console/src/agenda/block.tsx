// A visit as it lies in the grid.
import type { Visit } from "../api/client.ts";
import { agentName, hueOf, initials } from "../api/agents.ts";
import { homeZone, propertyName } from "../api/properties.ts";
import { saving } from "../api/visits.ts";
import { Icon } from "../parts/icon.tsx";
import { clockTime, spokenDay } from "../time/dates.ts";
import { dayOf, offsetName, placeOf, wallOf } from "../time/zones.ts";
import { lookOf, signOf } from "../visit/status.tsx";
import { say } from "../words/words.ts";

export const endOf = (visit: Visit): string =>
  new Date(Date.parse(visit.date) + visit.durationMinutes * 60_000).toISOString();

/** The place of a zone that is not the agenda's own. */
export const foreignZone = (visit: Visit): string =>
  offsetName(visit.date, visit.timeZone) === offsetName(visit.date, homeZone.value) ? "" : placeOf(visit.timeZone);

interface Props {
  visit: Visit;
  top: number;
  height: number;
  lane: number;
  lanes: number;
  pressed: boolean;
  stop: boolean;
  away: boolean;
  onOpen: () => void;
  onFocus: () => void;
  onKeyDown: (event: KeyboardEvent) => void;
  onPointerDown: (event: PointerEvent) => void;
}

export function Block(props: Props) {
  const { visit, lane, lanes } = props;
  const words = say();
  const start = clockTime(visit.date, visit.timeZone);
  const zone = foreignZone(visit);
  const agent = visit.agentId ? agentName(visit.agentId) : words.nobodyYet;
  const classes = ["visit", lookOf(visit.status), hueOf(visit.agentId)];
  if (saving.value.has(visit.id)) classes.push("saving");
  if (props.away) classes.push("away");
  const side = {
    top: `${props.top}px`,
    height: `${props.height}px`,
    left: `calc(3px + (100% - 8px) * ${lane} / ${lanes})`,
    right: `calc(${lane === lanes - 1 ? 5 : 8}px + (100% - 8px) * ${lanes - 1 - lane} / ${lanes})`,
  };
  return (
    <button
      type="button"
      class={classes.join(" ")}
      style={side}
      data-visit={visit.id}
      aria-pressed={props.pressed}
      tabIndex={props.stop ? 0 : -1}
      onClick={props.onOpen}
      onFocus={props.onFocus}
      onKeyDown={props.onKeyDown}
      onPointerDown={props.onPointerDown}
    >
      <span class="in">
        <span class="p">{propertyName(visit.propertyId)}</span>{" "}
        <span class="g">
          {visit.status !== "confirmed" && <Icon name={signOf(visit.status)} small />}
        </span>{" "}
        <span class="w">
          {start}
          <span class="to">–{clockTime(endOf(visit), visit.timeZone)}</span>
          {zone && <span class="z"> {zone}</span>}
        </span>{" "}
        <span class="v">{visit.visitor?.name ?? (visit.agentId ? initials(agent) : "")}</span>
        <span class="off">
          , {words.status[visit.status]}, {spokenDay(dayOf(wallOf(visit.date, visit.timeZone)))}, {agent}
        </span>
      </span>
    </button>
  );
}
