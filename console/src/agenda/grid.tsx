// Columns of hours with visits in them: the days of a week, or the agents or properties of a day.
import { useSignal } from "@preact/signals";
import type { ComponentChildren, TargetedPointerEvent } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Visit } from "../api/client.ts";
import { may } from "../api/session.ts";
import { homeZone, propertyName } from "../api/properties.ts";
import { minuteOf, offsetName, placeOf, timeAt, wallOf } from "../time/zones.ts";
import { holdsTime } from "../visit/status.tsx";
import { now } from "../time/now.ts";
import { say } from "../words/words.ts";
import { Block } from "./block.tsx";
import { type Column, minuteIn } from "./column.ts";
import { useGridKeys } from "./keys.ts";
import { type Entry, lay } from "./lanes.ts";
import { lift, lifted, liftedFrom, STEP, takeBack } from "./lift.ts";
import { chosen } from "./view.ts";

interface Props {
  columns: Column[];
  /** How narrow a column may be, in pixels, before the grid scrolls sideways. */
  least: number;
  /** Hours that nothing is offered in, in minutes of the day, for a column. */
  shades: (column: Column) => [number, number][];
  onOpen: (visit: Visit) => void;
  onDrop: (visit: Visit, column: string, minute: number) => void;
  onFree: (column: string, minute: number) => void;
  onBundle: (column: string) => void;
}

const LEAST = 24;

/** An hour is as high as lets 8 to 20 be seen at once, and never lower than 52 px. */
export const hourHeight = (): number =>
  innerWidth < 720 ? 88 : Math.max(52, Math.floor((innerHeight - 174) / 12 / 4) * 4);

export function Grid({ columns, least, shades, onOpen, onDrop, onFree, onBundle }: Props) {
  const hour = useSignal(hourHeight());
  const grid = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const measure = () => (hour.value = hourHeight());
    addEventListener("resize", measure);
    return () => removeEventListener("resize", measure);
  }, []);

  const all = columns.flatMap((column) => column.visits);
  const first = Math.min(8, ...all.map((visit) => Math.floor(minuteIn(visit) / 60)));
  const last = Math.min(24, Math.max(20, ...all.map((visit) => Math.ceil((minuteIn(visit) + visit.durationMinutes) / 60))));
  const top = (minute: number): number => ((minute - first * 60) / 60) * hour.value;
  const template = `56px ${columns.map((c) => (c.folded ? "28px" : `minmax(0, ${c.wide ? 1.5 : 1}fr)`)).join(" ")}`;
  const keys = useGridKeys(columns, grid, { first, last, onDrop });

  const begin = (event: PointerEvent, visit: Visit, column: string): void => {
    if (event.pointerType === "touch" || event.button !== 0 || !may("write") || !holdsTime(visit.status)) return;
    drag(event, visit, column, { grid, hour: hour.value, first, last, onDrop });
  };

  return (
    <div class="grid" style={{ "--hour": `${hour.value}px`, "--hours": `${last - first}`, "--least": `${56 + columns.length * least}px` }}>
      <div class="days" style={{ gridTemplateColumns: template }}>
        <Zone visits={all} day={columns[0]?.day ?? ""} />
        {columns.map((column) => (
          <div key={column.key} class={column.headClass} {...(column.today ? { "aria-current": "date" as const } : {})}>
            {column.head}
          </div>
        ))}
      </div>
      <div class="hours" style={{ gridTemplateColumns: template }} ref={grid} role="group" aria-label={say().gridLabel}>
        <div class="gutter" aria-hidden="true">
          {Array.from({ length: last - first }, (_, n) => (
            <span key={n} class="hour" style={{ top: `${n * hour.value}px` }}>
              {timeAt((first + n) * 60)}
            </span>
          ))}
          <NowTime top={top} first={first} last={last} shown={columns.some((column) => column.today)} />
        </div>
        {columns.map((column) =>
          column.folded ? (
            <button key={column.key} type="button" class="day closed" data-column={column.key} onClick={column.onUnfold} aria-label={column.name}>
              <span aria-hidden="true">{say().noVisits}</span>
            </button>
          ) : (
            <Hours key={column.key} column={column} top={top} hour={hour.value} first={first} last={last} shades={shades(column)} onFree={onFree}>
              {blocks(column, { top, hour: hour.value, begin, onOpen, onBundle, keys })}
            </Hours>
          ),
        )}
      </div>
    </div>
  );
}

interface Drawing {
  top: (minute: number) => number;
  hour: number;
  begin: (event: PointerEvent, visit: Visit, column: string) => void;
  onOpen: (visit: Visit) => void;
  onBundle: (column: string) => void;
  keys: ReturnType<typeof useGridKeys>;
}

function blocks(column: Column, { top, hour, begin, onOpen, onBundle, keys }: Drawing) {
  const least = (LEAST / hour) * 60;
  const entries: Entry[] = column.visits.map((visit) => {
    const start = minuteIn(visit);
    return { visit, start, end: start + Math.max(visit.durationMinutes, least) };
  });
  // What happens today is seen whole.
  const { placed, bundles } = lay(entries, column.today || column.wide ? Number.POSITIVE_INFINITY : 3);
  const height = (start: number, end: number) => Math.max(LEAST, ((end - start) / 60) * hour - 2);
  return [
    ...placed.map(({ visit, start, lane, lanes }) => (
      <Block
        key={visit.id}
        visit={visit}
        top={top(start)}
        height={height(start, start + visit.durationMinutes)}
        lane={lane}
        lanes={lanes}
        pressed={chosen.value === visit.id}
        stop={keys.stop === visit.id}
        away={lifted.value?.visit.id === visit.id}
        onOpen={() => !lifted.value && onOpen(visit)}
        onFocus={() => keys.enter(visit.id)}
        onKeyDown={(event) => keys.press(event, visit, column.key)}
        onPointerDown={(event) => begin(event, visit, column.key)}
      />
    )),
    ...bundles.map(({ visits, start, end, lane, lanes }) => (
      <button
        key={`bundle ${start}`}
        type="button"
        class="visit bundle a0"
        style={{ top: `${top(start)}px`, height: `${height(start, end)}px`, left: `calc(3px + (100% - 8px) * ${lane} / ${lanes})`, right: "5px" }}
        onClick={() => onBundle(column.key)}
        aria-label={say().moreVisits(visits.length)}
      >
        +{visits.length}
      </button>
    )),
  ];
}

interface HoursProps {
  column: Column;
  top: (minute: number) => number;
  hour: number;
  first: number;
  last: number;
  shades: [number, number][];
  onFree: (column: string, minute: number) => void;
  children: ComponentChildren;
}

function Hours({ column, top, hour, first, last, shades, onFree, children }: HoursProps) {
  const free = useSignal<number | null>(null);
  const at = (event: TargetedPointerEvent<HTMLDivElement> | MouseEvent): number | null => {
    const target = event.target as Element;
    if (target.closest(".visit") || lifted.value || !may("write")) return null;
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const minute = first * 60 + Math.floor(((event.clientY - box.top) / hour) * 2) * 30;
    return Math.min(last * 60 - 30, Math.max(first * 60, minute));
  };
  const ghost = lifted.value?.column === column.key ? lifted.value : null;
  return (
    <div
      class={`day${column.today ? " today" : ""}`}
      data-column={column.key}
      role="group"
      aria-label={column.name}
      onPointerMove={(event) => (free.value = event.pointerType === "mouse" ? at(event) : null)}
      onPointerLeave={() => (free.value = null)}
      onClick={(event) => {
        const minute = at(event);
        if (minute !== null) onFree(column.key, minute);
      }}
    >
      {shades.map(([from, to]) => {
        const start = Math.max(from, first * 60);
        const end = Math.min(to, last * 60);
        return end > start && <span key={from} class="shade" style={{ top: `${top(start)}px`, height: `${((end - start) / 60) * hour}px` }} />;
      })}
      {free.value !== null && (
        <span class="free" aria-hidden="true" style={{ top: `${top(free.value)}px`, height: `${hour / 2 - 1}px` }}>
          {timeAt(free.value)}
        </span>
      )}
      <NowLine top={top} first={first} last={last} strong={column.today} />
      {children}
      {ghost && (
        <span
          class="ghost moving"
          style={{ top: `${top(ghost.minute)}px`, height: `${Math.max(LEAST, (ghost.visit.durationMinutes / 60) * hour - 2)}px` }}
        >
          {timeAt(ghost.minute)} {propertyName(ghost.visit.propertyId)}
        </span>
      )}
    </div>
  );
}

const nowMinute = (): number => minuteOf(wallOf(now.value, homeZone.value));

function NowLine({ top, first, last, strong }: { top: (minute: number) => number; first: number; last: number; strong: boolean }) {
  const minute = nowMinute();
  if (!strong || minute < first * 60 || minute > last * 60) return null;
  return <span class="nowline" style={{ top: `${top(minute)}px` }} />;
}

function NowTime({ top, first, last, shown }: { top: (minute: number) => number; first: number; last: number; shown: boolean }) {
  const minute = nowMinute();
  if (!shown || minute < first * 60 || minute > last * 60) return null;
  return (
    <time class="nowtime" style={{ top: `${top(minute)}px` }}>
      {timeAt(minute)}
    </time>
  );
}

/** The zone that the hours are in; with several, each visit has its own. */
function Zone({ visits, day }: { visits: Visit[]; day: string }) {
  const zones = new Set(visits.map((visit) => visit.timeZone));
  const several = zones.size > 1;
  const [only = homeZone.value] = several ? [homeZone.value] : zones;
  return (
    <div class="zone" title={several ? say().severalZones : only}>
      {several ? (
        <span>{say().localTime}</span>
      ) : (
        <span>
          {placeOf(only)}
          <br />
          {day && offsetName(`${day}T12:00:00Z`, only)}
        </span>
      )}
    </div>
  );
}

interface Surface {
  grid: { current: HTMLDivElement | null };
  hour: number;
  first: number;
  last: number;
  onDrop: (visit: Visit, column: string, minute: number) => void;
}

/** A visit follows the pointer in quarters of an hour and whole columns. Escape takes it back. */
function drag(down: PointerEvent, visit: Visit, column: string, { grid, hour, first, last, onDrop }: Surface): void {
  const start = minuteIn(visit);
  const done = new AbortController();
  const { signal } = done;
  const columnAt = (x: number): string => {
    const boxes = [...(grid.current?.querySelectorAll<HTMLElement>(".day[data-column]") ?? [])];
    return boxes.find((box) => x < box.getBoundingClientRect().right)?.dataset.column ?? boxes.at(-1)?.dataset.column ?? column;
  };
  const follow = (event: PointerEvent): void => {
    if (!lifted.value && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < 5) return;
    if (!lifted.value) lift(visit, column, start, "pointer");
    const minute = start + Math.round((((event.clientY - down.clientY) / hour) * 60) / STEP) * STEP;
    const kept = Math.min(last * 60 - visit.durationMinutes, Math.max(first * 60, minute));
    lifted.value = { visit, column: columnAt(event.clientX), minute: kept, by: "pointer" };
  };
  const drop = (): void => {
    done.abort();
    const at = lifted.value;
    // The click that ends a drag opens nothing.
    setTimeout(takeBack);
    if (at?.by === "pointer" && (at.column !== liftedFrom.value?.column || at.minute !== start)) onDrop(visit, at.column, at.minute);
  };
  const cancel = (): void => {
    done.abort();
    takeBack();
  };
  addEventListener("pointermove", follow, { signal });
  addEventListener("pointerup", drop, { signal });
  addEventListener("pointercancel", cancel, { signal });
  addEventListener("keydown", (event) => event.key === "Escape" && cancel(), { signal, capture: true });
}
