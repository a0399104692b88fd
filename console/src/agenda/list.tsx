// A day as a list: on the screen, on a telephone, and on paper.
import type { Visit } from "../api/client.ts";
import { agentName } from "../api/agents.ts";
import { addressOf, homeToday, homeZone, propertyName } from "../api/properties.ts";
import { clockTime } from "../time/dates.ts";
import { callOf } from "../parts/links.ts";
import { now } from "../time/now.ts";
import { placeOf, timeOf, wallOf } from "../time/zones.ts";
import { AgentName } from "../visit/agent.tsx";
import { fellThrough, holdsTime, lookOf, StatusMark } from "../visit/status.tsx";
import { say } from "../words/words.ts";
import { endOf, foreignZone } from "./block.tsx";
import { byDay } from "./filters.ts";
import { chosen, focus } from "./view.ts";

export function DayList({ onOpen }: { onOpen: (visit: Visit) => void }) {
  const words = say();
  const visits = byDay.value.get(focus.value) ?? [];
  const over = (visit: Visit): boolean => Date.parse(endOf(visit)) <= now.value;
  const turn = focus.value === homeToday() ? visits.findIndex((visit) => !over(visit)) : -1;
  const fallen = visits.filter((visit) => fellThrough(visit.status)).length;
  return (
    <div class="page" tabIndex={0} role="group" aria-label={words.visitsOfDay}>
      <table class="list cards">
        <thead>
          <tr>
            <th scope="col">{words.time}</th>
            <th scope="col">{words.property}</th>
            <th scope="col">{words.visitor}</th>
            <th scope="col">{words.agent}</th>
            <th scope="col">{words.statusTitle}</th>
            <th scope="col" class="opt">
              {words.note}
            </th>
          </tr>
        </thead>
        <tbody>
          {visits.flatMap((visit, n) => [
            n === turn && n > 0 && <NowRow key="now" />,
            <Row key={visit.id} visit={visit} over={over(visit) || !holdsTime(visit.status)} onOpen={onOpen} />,
          ])}
        </tbody>
      </table>
      <p class="list-end small faint">
        {words.dayCount(visits.length, fallen)} {words.zoneOf(placeOf(homeZone.value))}
      </p>
    </div>
  );
}

function NowRow() {
  return (
    <tr class="nowrow">
      <td colSpan={6}>
        <span>{timeOf(wallOf(now.value, homeZone.value))}</span>
      </td>
    </tr>
  );
}

function Row({ visit, over, onOpen }: { visit: Visit; over: boolean; onOpen: (visit: Visit) => void }) {
  const words = say();
  const address = addressOf(visit.propertyId);
  const zone = foreignZone(visit);
  const agent = visit.agentId ? agentName(visit.agentId) : words.nobodyYet;
  const classes = [over ? "over" : "", lookOf(visit.status), chosen.value === visit.id ? "sel" : ""].join(" ");
  return (
    <tr class={classes}>
      <td class="t">
        <time dateTime={visit.date}>{clockTime(visit.date, visit.timeZone)}</time>
        <small>{words.until(clockTime(endOf(visit), visit.timeZone))}</small>
        {zone && <small>{zone}</small>}
      </td>
      <td class="prop">
        <button type="button" class="nm" data-visit={visit.id} onClick={() => onOpen(visit)}>
          {propertyName(visit.propertyId)}
        </button>
        {visit.place !== propertyName(visit.propertyId) && <span class="sub">{visit.place === address ? address : words.meetAtPlace(visit.place)}</span>}
      </td>
      <td class="vis">
        {visit.visitor?.name}
        {visit.visitor?.phone && (
          <span class="sub">
            <a href={callOf(visit.visitor.phone)}>{visit.visitor.phone}</a>
          </span>
        )}
      </td>
      <td>
        <AgentName id={visit.agentId} name={agent} />
      </td>
      <td class="stat">
        <StatusMark status={visit.status} />
      </td>
      <td class="soft opt">{visit.notes}</td>
    </tr>
  );
}
