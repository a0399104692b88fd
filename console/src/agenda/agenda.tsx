// The agenda: tools above, the month and filters beside, the days, and the panel of one visit.
import { useEffect } from "preact/hooks";
import type { Visit } from "../api/client.ts";
import { homeZone } from "../api/properties.ts";
import { fetchVisit, freshness, show, visits } from "../api/visits.ts";
import { openBooking } from "../booking/draft.ts";
import { may } from "../api/session.ts";
import { Icon } from "../parts/icon.tsx";
import { adjust, go, link } from "../route.ts";
import { longDay, spokenDay, weekTitle } from "../time/dates.ts";
import { now } from "../time/now.ts";
import { dayOf, placeOf, timeOf, wallOf } from "../time/zones.ts";
import { tryNow } from "../api/events.ts";
import { Panel } from "../visit/panel.tsx";
import { say } from "../words/words.ts";
import { across, DayColumns } from "./day.tsx";
import { byDay, isFiltered, showAll } from "./filters.ts";
import { DayList } from "./list.tsx";
import { Side } from "./side.tsx";
import { TakeAway } from "./takeaway.tsx";
import { chosen, days, focus, look, narrow, step, toToday, type View, view, VIEWS } from "./view.ts";
import { Week } from "./week.tsx";

const open = (visit: Visit): void => adjust({ visit: chosen.value === visit.id ? null : visit.id });

export function Agenda() {
  const first = days.value[0] ?? focus.value;
  const last = days.value.at(-1) ?? first;
  useEffect(() => {
    void show({ first, last });
  }, [first, last]);
  const visit = chosen.value ? visits.value.get(chosen.value) : undefined;
  const unknown = chosen.value && !visit && freshness.value.asOf !== null ? chosen.value : null;
  useEffect(() => {
    if (unknown) void fetchVisit(unknown);
  }, [unknown]);
  return (
    <>
      <Side />
      <main class="week" id="main" tabIndex={-1}>
        <Tools />
        <PaperHead />
        {view.value === "week" && <Week onOpen={open} />}
        {view.value === "day" && (narrow.value ? <DayList onOpen={open} /> : <DayColumns onOpen={open} />)}
        {view.value === "list" && <DayList onOpen={open} />}
        <Nothing />
        <Foot />
      </main>
      {visit && <Panel key={visit.id} visit={visit} onClose={() => adjust({ visit: null })} />}
    </>
  );
}

function Tools() {
  const words = say();
  const week = view.value === "week";
  const first = days.value[0] ?? focus.value;
  return (
    <div class="tools">
      <h1>{week ? weekTitle(first, days.value.at(-1) ?? first) : narrow.value ? spokenDay(focus.value) : longDay(focus.value)}</h1>
      <div class="row">
        <button type="button" class="btn bare icon" aria-label={week ? words.weekBefore : words.dayBefore} aria-keyshortcuts="K" onClick={() => step(-1)}>
          <Icon name="left" />
        </button>
        <button type="button" class="btn" aria-keyshortcuts="T" onClick={toToday}>
          {words.today}
        </button>
        <button type="button" class="btn bare icon" aria-label={week ? words.weekAfter : words.dayAfter} aria-keyshortcuts="J" onClick={() => step(1)}>
          <Icon name="right" />
        </button>
      </div>
      <span class="grow" />
      {view.value === "day" && !narrow.value && (
        <div class="seg" role="group" aria-label={words.columns}>
          {(["agents", "properties"] as const).map((one) => (
            <button key={one} type="button" aria-pressed={across.value === one} onClick={() => (across.value = one)}>
              {words[one]}
            </button>
          ))}
        </div>
      )}
      <TakeAway />
      <div class="seg views" role="group" aria-label={words.view}>
        {VIEWS.map((one: View) => (
          <a key={one} href={link("agenda", [one, focus.value])} onClick={(event) => { event.preventDefault(); look({ view: one }); }} {...(view.value === one ? { "aria-current": "page" as const } : {})}>
            {words.views[one]}
          </a>
        ))}
      </div>
    </div>
  );
}

/** What a printed list begins with. */
function PaperHead() {
  const words = say();
  return (
    <header class="paper-only">
      <h1>{longDay(focus.value)}</h1>
      <p>{words.printed(placeOf(homeZone.value), timeOf(wallOf(now.value, homeZone.value)))}</p>
    </header>
  );
}

function Nothing() {
  const words = say();
  const { loading, asOf, lost } = freshness.value;
  const some = days.value.some((day) => byDay.value.has(day));
  if (some || loading || (asOf === null && lost !== null)) return null;
  return (
    <div class="veiled">
      <div class="say">
        <Icon name="cal" />
        <h2>{words.nothingTitle}</h2>
        <p class="soft">{isFiltered() ? words.nothingFiltered : words.nothingText}</p>
        <div class="row">
          {isFiltered() && (
            <button type="button" class="btn main" onClick={showAll}>
              {words.showAll}
            </button>
          )}
          {may("write") && !isFiltered() && (
            <>
              <button type="button" class="btn main" onClick={() => openBooking({ day: focus.value })}>
                {words.newVisit}
              </button>
              <button type="button" class="btn" onClick={() => go(link("sheets"))}>
                {words.takeInSheet}
              </button>
            </>
          )}
        </div>
      </div>
    </div>
  );
}

function Foot() {
  const words = say();
  const { asOf, lost, loading } = freshness.value;
  const at = asOf === null ? "" : timeOf(wallOf(asOf, homeZone.value));
  const shown = days.value.reduce((sum, day) => sum + (byDay.value.get(day)?.length ?? 0), 0);
  const zones = new Set([...visits.value.values()].filter((v) => days.value.includes(dayOf(wallOf(v.date, v.timeZone)))).map((v) => v.timeZone));
  return (
    <>
      {lost && (
        <div class="banner" role="alert">
          <Icon name="offline" />
          <div>
            <strong>{at ? words.lostSince(at) : words.lostNow}</strong>
            <p class="soft">{at ? words.lostText : words.lostFirstText}</p>
          </div>
          <div class="row">
            <button type="button" class="btn" onClick={() => { tryNow(); void show({ first: days.value[0] ?? focus.value, last: days.value.at(-1) ?? focus.value }); }}>
              {words.tryNow}
            </button>
          </div>
        </div>
      )}
      <div class="foot">
        <span class="row">
          <Icon name={lost ? "offline" : "check"} small />
          {loading ? words.loading : at ? `${words.upToDate(at)} · ${words.zoneOf(placeOf(homeZone.value))}` : words.loading}
        </span>
        <span>{words.visitCount(shown)}</span>
        <span class="grow" />
        <span>{zones.size > 1 ? words.severalZones : words.zoneOf(placeOf([...zones][0] ?? homeZone.value))}</span>
      </div>
    </>
  );
}
