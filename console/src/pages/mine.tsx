// An agent's day on the road: where to be next, whom to meet there, and what follows. Made for a telephone.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { endOf } from "../agenda/block.tsx";
import { agentName, agents } from "../api/agents.ts";
import type { Visit } from "../api/client.ts";
import { addressOf, homeToday, homeZone, propertyName } from "../api/properties.ts";
import { person } from "../api/session.ts";
import { show, visits } from "../api/visits.ts";
import { Icon } from "../parts/icon.tsx";
import { callOf, mapOf } from "../parts/links.ts";
import { link, route } from "../route.ts";
import { clockTime, spokenDay } from "../time/dates.ts";
import { type Day, isDay, plusDays } from "../time/days.ts";
import { now } from "../time/now.ts";
import { dayOf, placeOf, wallOf } from "../time/zones.ts";
import { distance, fellThrough, lookOf, StatusMark } from "../visit/status.tsx";
import { say } from "../words/words.ts";

const KEPT = "agent";
const picked = signal(localStorage.getItem(KEPT) ?? "");

/** Whose day it is: as chosen on this device, else the agent with the e-mail address of who is signed in. */
function whose(): string {
  if (agents.value.has(picked.value)) return picked.value;
  const email = person.value?.email.toLowerCase();
  return [...agents.value.values()].find((agent) => email && agent.email?.toLowerCase() === email)?.id ?? "";
}

export function MyDay() {
  const words = say();
  const [asked] = route.value.parts;
  const day = isDay(asked) ? asked : homeToday();
  useEffect(() => void show({ first: day, last: day }), [day]);
  const agent = whose();
  const own = [...visits.value.values()]
    .filter((visit) => visit.agentId === agent && !fellThrough(visit.status) && dayOf(wallOf(visit.date, visit.timeZone)) === day)
    .sort((one, other) => one.date.localeCompare(other.date));
  const ahead = agent ? own.filter((visit) => Date.parse(endOf(visit)) > now.value) : [];
  const over = agent ? own.filter((visit) => !ahead.includes(visit)) : [];
  const [next, ...later] = ahead;
  return (
    <main class="page full" id="main" tabIndex={-1}>
      <div class="road">
        <div class="top">
          <div class="grow">
            <h1>{spokenDay(day)}</h1>
            <p>
              {words.visitCount(ahead.length + over.length)}, {words.zoneOf(placeOf(homeZone.value))}
            </p>
          </div>
          <Turn day={plusDays(day, -1)} label={words.dayBefore} sign="left" />
          <Turn day={plusDays(day, 1)} label={words.dayAfter} sign="right" />
        </div>
        <Whose agent={agent} />
        {next && <Next visit={next} />}
        <Stops title={words.later} visits={later} />
        <Stops title={words.earlier} visits={over} />
      </div>
    </main>
  );
}

const Turn = ({ day, label, sign }: { day: Day; label: string; sign: "left" | "right" }) => (
  <a class="btn bare icon" href={link("mine", [day])} aria-label={label}>
    <Icon name={sign} />
  </a>
);

function Whose({ agent }: { agent: string }) {
  const words = say();
  const choose = (id: string): void => {
    picked.value = id;
    localStorage.setItem(KEPT, id);
  };
  return (
    <div class="field whose">
      <label for="whose">{words.agent}</label>
      <select id="whose" class="input" value={agent} onChange={(event) => choose(event.currentTarget.value)}>
        {!agent && <option value="">–</option>}
        {[...agents.value.keys()].map((id) => (
          <option key={id} value={id}>
            {agentName(id)}
          </option>
        ))}
      </select>
    </div>
  );
}

const opened = (visit: Visit): string => link("agenda", ["list", dayOf(wallOf(visit.date, visit.timeZone))], { visit: visit.id });

/** Where to be: the place that was agreed on, else the property's address. */
const whereOf = (visit: Visit): string => visit.place || addressOf(visit.propertyId);

function Next({ visit }: { visit: Visit }) {
  const words = say();
  const { visitor } = visit;
  return (
    <section class="next" aria-label={words.next}>
      <div class="row">
        <span class="label grow">{distance(visit, now.value) || words.next}</span>
        <StatusMark status={visit.status} />
      </div>
      <p class="big-t">
        {clockTime(visit.date, visit.timeZone)}–{clockTime(endOf(visit), visit.timeZone)}
      </p>
      <h2>
        <a class="nm" href={opened(visit)}>
          {propertyName(visit.propertyId)}
        </a>
      </h2>
      <div class="place">
        <Icon name="pin" />
        <span>{whereOf(visit)}</span>
        {visitor?.name && <Icon name="user" />}
        {visitor?.name && <span>{visitor.name}</span>}
        {visit.notes && <Icon name="note" />}
        {visit.notes && <span class="lines">{visit.notes}</span>}
      </div>
      <div class="three">
        <Ends visit={visit} big />
      </div>
    </section>
  );
}

function Stops({ title, visits: stops }: { title: string; visits: Visit[] }) {
  if (stops.length === 0) return null;
  return (
    <section class="stops">
      <h2>{title}</h2>
      <ol>
        {stops.map((visit) => (
          <li key={visit.id} class={`stop ${lookOf(visit.status)} ${Date.parse(endOf(visit)) <= now.value ? "over" : ""}`}>
            <time class="t" dateTime={visit.date}>
              {clockTime(visit.date, visit.timeZone)}
            </time>
            <div>
              <a class="nm b" href={opened(visit)}>
                {propertyName(visit.propertyId)}
              </a>
              <p class="soft">
                {visit.visitor?.name}
                {visit.visitor?.name && <br />}
                {whereOf(visit)}
              </p>
              <StatusMark status={visit.status} />
            </div>
            <div class="ends">
              <Ends visit={visit} />
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** To call whom one meets, and to find the way. */
function Ends({ visit, big }: { visit: Visit; big?: boolean }) {
  const words = say();
  const phone = visit.visitor?.phone;
  const where = whereOf(visit);
  const look = big ? "btn big" : "btn icon";
  return (
    <>
      {phone && (
        <a class={look} href={callOf(phone)} aria-label={words.callWhom(visit.visitor?.name ?? phone)}>
          <Icon name="phone" /> {big && words.call}
        </a>
      )}
      <a class={big ? `${look} main` : look} href={mapOf(where)} target="_blank" rel="noreferrer" aria-label={words.mapOf(where)}>
        <Icon name="pin" /> {big && words.map}
      </a>
    </>
  );
}
