// When something is open: the hours of each weekday, and the days that are different.
import { WEEKDAYS } from "../agenda/hours.ts";
import type { Schemas } from "../api/client.ts";
import { Icon } from "../parts/icon.tsx";
import { weekdayLong } from "../time/dates.ts";
import { type Day, plusDays } from "../time/days.ts";
import { say } from "../words/words.ts";

export type Hours = Pick<Schemas["Availability"], "weekly" | "dates">;
type Span = string[];
const A_MONDAY = "2026-11-23";
const USUAL: Span = ["09:00", "17:00"];

export const usualWeek = (): NonNullable<Hours["weekly"]> => {
  const work = [[...USUAL]];
  return { mon: work, tue: work, wed: work, thu: work, fri: work, sat: [], sun: [] };
};

export function HoursFields({ label, hours, onChange }: { label: string; hours: Hours; onChange: (hours: Hours) => void }) {
  const words = say();
  const { weekly, dates } = hours;
  return (
    <>
      <label class="check">
        <input type="checkbox" checked={weekly !== null} onChange={(event) => onChange({ ...hours, weekly: event.currentTarget.checked ? usualWeek() : null })} />
        {label}
      </label>
      {weekly && (
        <div class="hoursof">
          {WEEKDAYS.map((weekday, n) => (
            <div key={weekday} role="group" aria-label={weekdayLong(plusDays(A_MONDAY, n))}>
              <span class="name">{weekdayLong(plusDays(A_MONDAY, n))}</span>
              <Spans spans={weekly[weekday]} onChange={(spans) => onChange({ ...hours, weekly: { ...weekly, [weekday]: spans } })} />
            </div>
          ))}
        </div>
      )}
      <h3>{words.otherDays}</h3>
      <div class="hoursof">
        {dates.map((date, n) => {
          const put = (changed: Partial<typeof date>) => onChange({ ...hours, dates: dates.map((one, m) => (m === n ? { ...one, ...changed } : one)) });
          return (
            <div key={n} class="different" role="group" aria-label={`${words.otherDays} ${n + 1}`}>
              <span class="set">
                <input class="input" type="date" aria-label={words.firstDay} value={date.from} onInput={(event) => put({ from: event.currentTarget.value, to: later(date.to, event.currentTarget.value) })} />
                <input class="input" type="date" aria-label={words.lastDay} value={date.to} onInput={(event) => put({ to: event.currentTarget.value })} />
              </span>
              <span class="set">
                <Spans spans={date.open} onChange={(open) => put({ open })} />
                <button type="button" class="btn bare icon" aria-label={words.remove} onClick={() => onChange({ ...hours, dates: dates.filter((_, m) => m !== n) })}>
                  <Icon name="x" />
                </button>
              </span>
            </div>
          );
        })}
        <button type="button" class="btn" onClick={() => onChange({ ...hours, dates: [...dates, { from: tomorrow(), to: tomorrow(), open: [] }] })}>
          <Icon name="plus" /> {words.addClosedDays}
        </button>
      </div>
    </>
  );
}

const later = (one: Day, other: Day): Day => (one > other ? one : other);
const tomorrow = (): Day => plusDays(new Date().toISOString().slice(0, 10), 1);

function Spans({ spans, onChange }: { spans: Span[]; onChange: (spans: Span[]) => void }) {
  const words = say();
  const put = (n: number, span: Span): void => onChange(spans.map((one, m) => (m === n ? span : one)));
  return (
    <span class="set">
      {spans.length === 0 && <span class="faint small">{words.closedDay}</span>}
      {spans.map(([from = "", to = ""], n) => (
        <span key={n} class="span">
          <Clock label={words.opens} time={from} onChange={(time) => put(n, [time, to])} />
          –
          <Clock label={words.closes} time={to} onChange={(time) => put(n, [from, time])} />
          <button type="button" class="btn bare icon" aria-label={words.remove} onClick={() => onChange(spans.filter((_, m) => m !== n))}>
            <Icon name="x" />
          </button>
        </span>
      ))}
      <button type="button" class="btn bare" onClick={() => onChange([...spans, afterLast(spans)])}>
        <Icon name="plus" /> {words.addHours}
      </button>
    </span>
  );
}

/** A time of day, up to 24:00, which no browser's own field for times can show. */
function Clock({ label, time, onChange }: { label: string; time: string; onChange: (time: string) => void }) {
  return <input class="input" inputMode="numeric" maxLength={5} aria-label={label} value={time} onChange={(event) => onChange(clockOf(event.currentTarget.value))} />;
}

/** 9, 930 and 9.30 are times too; what is none is left for the API to refuse. */
function clockOf(typed: string): string {
  const [, hour, minute = "00"] = /^(\d{1,2})(?:\D?(\d{2}))?$/.exec(typed.trim()) ?? [];
  return hour ? `${hour.padStart(2, "0")}:${minute}` : typed;
}

const afterLast = (spans: Span[]): Span => {
  const last = spans.at(-1)?.[1];
  if (!last || last > "20:00") return [...USUAL];
  const hour = String(Number(last.slice(0, 2)) + 1).padStart(2, "0");
  return [`${hour}:00`, `${String(Math.min(24, Number(hour) + 3)).padStart(2, "0")}:00`];
};
