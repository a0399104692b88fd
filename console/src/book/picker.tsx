// Days and the free times on them.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type Answer, type Refusal, type Start, startsAt } from "./api.ts";
import { arrows, Icon, Note, type Speech } from "./parts.tsx";
import { cityOf, DAY_MS, dateOf, daysAfter, longDay, month, noonOf, OWN_ZONE, ownTime, shortDay, timeOf, weekday } from "./times.ts";

const DAYS = 6;
/** Days in the strip. */
const FIRST_LOOK = 14;
const FARTHER_LOOK = 31;
const FARTHEST = 366;

export interface Free {
  starts: Start[];
  /** So many days from now on are known. */
  days: number;
  refusal?: Refusal;
}

export interface Times {
  free: Free | null;
  look: (days: number) => void;
  /** Looks at all of them once more: one of them has gone. */
  again: () => void;
}

/** The free times at an address of the API; a second look where the first two weeks have none. */
export function useTimes(path: string, link?: string): Times {
  const [free, setFree] = useState<Free | null>(null);
  const [now, setNow] = useState(() => Date.now());

  async function extend(known: Free | null, days: number): Promise<void> {
    const before = known?.days ?? 0;
    const answer: Answer<Start[]> = await startsAt(path, new Date(now + before * DAY_MS), new Date(now + days * DAY_MS), link);
    if (answer.refusal) return setFree({ starts: known?.starts ?? [], days: before, refusal: answer.refusal });
    const found: Free = { starts: [...(known?.starts ?? []), ...answer.value], days };
    if (!found.starts.length && days === FIRST_LOOK) return extend(found, FIRST_LOOK + FARTHER_LOOK);
    setFree(found);
  }

  useEffect(() => {
    setFree(null);
    void extend(null, FIRST_LOOK);
  }, [path, now]);
  return { free, look: (days) => void extend(free, Math.min(days, (free?.days ?? 0) + FARTHER_LOOK)), again: () => setNow(Date.now()) };
}

interface Props {
  speech: Speech;
  zone: string;
  times: Times;
  chosen: string;
  choose: (start: string) => void;
}

export function Picker({ speech, zone, times, chosen, choose }: Props): VNode {
  const { words, language } = speech;
  const { free } = times;
  const today = dateOf(new Date().toISOString(), zone);
  const first = free?.starts[0]?.localStart.slice(0, 10) ?? today;
  const [page, setPage] = useState<number | null>(null);
  const [picked, setPicked] = useState("");
  // The page that was turned to, or else the one of the time that was chosen, or of the first free one.
  const shownFirst = chosen ? dateOf(chosen, zone) : first;
  const current = page ?? Math.max(0, Math.floor((Date.parse(noonOf(shownFirst)) - Date.parse(noonOf(today))) / DAY_MS / DAYS));
  const days = Array.from({ length: DAYS }, (_, n) => daysAfter(today, current * DAYS + n));
  const needed = (current + 1) * DAYS + 1;
  const missing = free && free.days < needed && !free.refusal;

  useEffect(() => {
    if (missing) times.look(needed + FIRST_LOOK);
  }, [missing, needed]);

  if (!free || missing) return <p class="soft" role="status">{words.loading}</p>;
  if (free.refusal) {
    return (
      <Note kind="bad" title={free.refusal.status === 429 ? words.busy : words.noConnection}>
        <button type="button" class="btn" onClick={times.again}>{words.tryAgain}</button>
      </Note>
    );
  }
  const on = (day: string): Start[] => free.starts.filter((start) => start.localStart.startsWith(day));
  const day = days.find((each) => each === picked) ?? days.find((each) => chosen && dateOf(chosen, zone) === each && on(each).length) ?? days.find((each) => on(each).length);
  const [one, last] = [days[0] ?? today, days[DAYS - 1] ?? today].map((each) => month(noonOf(each), "UTC", language, "long"));
  return (
    <>
      <div class="row base">
        <span class="label2 grow">{one === last ? one : `${one}, ${last}`}</span>
        <button type="button" class="btn bare icon" aria-label={words.earlier} disabled={current === 0} onClick={() => setPage(current - 1)}>
          <Icon name="left" />
        </button>
        <button type="button" class="btn bare icon" aria-label={words.later} disabled={needed > FARTHEST} onClick={() => setPage(current + 1)}>
          <Icon name="right" />
        </button>
      </div>
      <div class="strip7" role="group" aria-label={words.day} onKeyDown={arrows}>
        {days.map((each) => (
          <button key={each} type="button" aria-pressed={each === day} disabled={!on(each).length} onClick={() => setPicked(each)}>
            <span>{weekday(noonOf(each), "UTC", language, "short")}</span> <b>{Number(each.slice(8))}</b>{" "}
            <span>{on(each).length ? words.free(on(each).length) : words.noneFree}</span>
          </button>
        ))}
      </div>
      {day ? <Day speech={speech} zone={zone} day={day} starts={on(day)} chosen={chosen} choose={choose} /> : <Nothing speech={speech} />}
      <p class="small faint">
        {words.zone(cityOf(zone))} {day && on(day).some(({ start }) => ownTime(start, zone, language)) && words.ownZone(cityOf(OWN_ZONE))}
      </p>
    </>
  );
}

interface GoneProps {
  speech: Speech;
  zone: string;
  lost: string;
  nearest: string[];
  choose: (start: string) => void;
  children?: string;
}

/** The time that was chosen has gone; what is free near it. */
export function Gone({ speech, zone, lost, nearest, choose, children }: GoneProps): VNode {
  const { words, language } = speech;
  return (
    <Note kind="wait" title={words.gone(lost)}>
      <p>{nearest.length ? words.goneNear : words.goneNone} {children}</p>
      <div class="near-times">
        {nearest.map((start) => (
          <button key={start} type="button" class="slot near" onClick={() => choose(start)}>
            {shortDay(start, zone, language)}, {timeOf(start, zone)}
          </button>
        ))}
      </div>
    </Note>
  );
}

function Nothing({ speech }: { speech: Speech }): VNode {
  return (
    <p class="soft" role="status">
      {speech.words.nothingFree} {speech.words.nothingFreeText}
    </p>
  );
}

function Day(props: { speech: Speech; zone: string; day: string; starts: Start[]; chosen: string; choose: (start: string) => void }): VNode {
  const { words, language } = props.speech;
  const name = longDay(noonOf(props.day), "UTC", language);
  const parts = words.parts.map((part, n) => ({
    part,
    starts: props.starts.filter(({ localStart }) => [localStart < `${props.day}T12`, localStart >= `${props.day}T12` && localStart < `${props.day}T17`, localStart >= `${props.day}T17`][n]),
  }));
  return (
    <div class="times" role="group" aria-label={words.timesOn(name)} onKeyDown={arrows}>
      {parts.filter(({ starts }) => starts.length).map(({ part, starts }, n) => [
        <h3 key={part}>{n ? part : `${name}, ${part}`}</h3>,
        ...starts.map((start) => <Slot key={start.start} {...props} start={start} />),
      ])}
    </div>
  );
}

function Slot({ speech, zone, start, starts, chosen, choose }: { speech: Speech; zone: string; start: Start; starts: Start[]; chosen: string; choose: (start: string) => void }): VNode {
  const time = timeOf(start.start, zone);
  const own = ownTime(start.start, zone, speech.language);
  // When the clocks go back, a time comes twice.
  const twice = starts.filter((other) => other.localStart.slice(0, 16) === start.localStart.slice(0, 16)).length > 1;
  return (
    <button type="button" class="slot" aria-pressed={start.start === chosen} onClick={() => choose(start.start)}>
      <span>{time}{twice && <small> {start.localStart.slice(19)}</small>}</span>
      {own && <small><span aria-hidden="true">{own}</span><span class="off">{speech.words.yours(own)}</span></small>}
    </button>
  );
}
