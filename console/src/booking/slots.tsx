// The free times of a property, some days at a time.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, ask, type Refusal, type Schemas, type Slot } from "../api/client.ts";
import { Icon } from "../parts/icon.tsx";
import { clockTime, shortDay } from "../time/dates.ts";
import { type Day, daysFrom, plusDays } from "../time/days.ts";
import { instantOf, placeOf, today } from "../time/zones.ts";
import { refused } from "../visit/refusals.ts";
import { say } from "../words/words.ts";

const DAYS = 4;
const MANY = 10;
const MORNING = "08:00";

export interface Choice {
  day: Day;
  time: string;
  /** Known if it was picked among the free times. */
  start?: string;
}

interface Props {
  propertyId: string;
  zone: string;
  minutes: number;
  agentId?: string | undefined;
  chosen: Choice | null;
  from: Day;
  /** Changes when the free times have to be read again. */
  edition?: number;
  onPick: (choice: Choice) => void;
  onKnown?: (slots: Slot[]) => void;
}

export async function freeTimes(
  propertyId: string,
  zone: string,
  first: Day,
  days: number,
  minutes: number,
  agentId?: string,
) {
  const query = {
    from: instantOf(`${first}T00:00`, zone),
    to: instantOf(`${plusDays(first, days)}T00:00`, zone),
    durationMinutes: minutes,
    ...(agentId ? { agentId } : {}),
  };
  return ask(api.GET("/properties/{propertyId}/slots", { params: { path: { propertyId }, query } }));
}

export function FreeTimes({ propertyId, zone, minutes, agentId, chosen, from, edition, onPick, onKnown }: Props) {
  const words = say();
  const first = useSignal(from < today(zone) ? today(zone) : from);
  const found = useSignal<Schemas["Slots"] | null>(null);
  const failed = useSignal<Refusal | null>(null);
  useEffect(() => {
    first.value = from < today(zone) ? today(zone) : from;
  }, [from, zone]);
  const wanted = first.value;
  useEffect(() => {
    let current = true;
    void freeTimes(propertyId, zone, wanted, DAYS, minutes, agentId).then((answer) => {
      if (!current) return;
      failed.value = answer.done ? null : answer.refusal;
      if (!answer.done) return;
      found.value = answer.value;
      onKnown?.(answer.value.slots);
    });
    return () => {
      current = false;
    };
  }, [propertyId, zone, minutes, agentId, wanted, edition]);

  return (
    <section aria-label={words.freeTimes}>
      <div class="row base">
        <h3 class="grow">{words.freeTimes}</h3>
        <span class="small faint">{words.zoneOf(placeOf(zone))}</span>
        <button type="button" class="btn bare icon" aria-label={words.earlierDays} disabled={wanted <= today(zone)} onClick={() => (first.value = plusDays(wanted, -DAYS))}>
          <Icon name="left" />
        </button>
        <button type="button" class="btn bare icon" aria-label={words.laterDays} onClick={() => (first.value = plusDays(wanted, DAYS))}>
          <Icon name="right" />
        </button>
      </div>
      {failed.value && <p class="note bad">{refused(failed.value).title}</p>}
      <div class="slots">
        {daysFrom(wanted, DAYS).map((day) => (
          <SlotsOfDay key={day} day={day} zone={zone} slots={found.value?.slots ?? null} chosen={chosen} onPick={onPick} />
        ))}
      </div>
      {found.value && found.value.slots.length === 0 && found.value.reason && (
        <p class="hint">{words.noSlots[found.value.reason]}</p>
      )}
    </section>
  );
}

interface DayProps {
  day: Day;
  zone: string;
  slots: Slot[] | null;
  chosen: Choice | null;
  onPick: (choice: Choice) => void;
}

/** A long day shows its half hours first, and the night last: who is open all day is still asked for the day. */
function SlotsOfDay({ day, zone, slots, chosen, onPick }: DayProps) {
  const words = say();
  const whole = useSignal(false);
  const all = (slots ?? []).filter((slot) => slot.localStart.startsWith(day));
  const halves = all.filter((slot) => slot.localStart.slice(14, 16) === "00" || slot.localStart.slice(14, 16) === "30");
  const awake = halves.filter((slot) => slot.localStart.slice(11, 16) >= MORNING);
  const shown = whole.value || all.length <= MANY ? all : (awake.length > 0 ? awake : halves).slice(0, MANY);
  const [weekday, ...rest] = shortDay(day).split(" ");
  return (
    <div role="group" aria-label={shortDay(day)}>
      <p class="d">
        <b>
          {weekday} {rest[0]}
        </b>{" "}
        {rest.slice(1).join(" ")}
      </p>
      <div class="set">
        {slots && all.length === 0 && <span class="none">{words.nothingFree}</span>}
        {shown.map((slot) => {
          const time = slot.localStart.slice(11, 16);
          const picked = chosen?.start ? chosen.start === slot.start : chosen?.day === day && chosen.time === time;
          return (
            <button key={slot.start} type="button" class="slot" aria-pressed={picked} onClick={() => onPick({ day, time, start: slot.start })}>
              {clockTime(slot.start, zone)}
            </button>
          );
        })}
        {shown.length < all.length && (
          <button type="button" class="btn bare" onClick={() => (whole.value = true)}>
            {words.allTimes(all.length)}
          </button>
        )}
      </div>
    </div>
  );
}
