// The visitor's own visit, by the link: see it, confirm it, move it, call it off, have no reminders, be forgotten.
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Answer, ask, OWN, type Refusal, stands, type Visit } from "./api.ts";
import { calendarOf, save } from "./ics.ts";
import type { Move } from "./move.tsx";
import { type Act, FocusedTitle, NotDone, OVERTAKEN } from "./doing.tsx";
import { Alone, Arrival, Frame, Icon, Note, type Speech } from "./parts.tsx";
import { cityOf, longDay, month, ownTime, plusMinutes, shortDay, timeOf, weekday } from "./times.ts";

type Doing = "" | "move" | "cancel" | "erase";

interface Props {
  speech: Speech;
  link: string;
  /** The visit that was booked a moment ago. */
  fresh: Visit | null;
}

export function Own({ speech, link, fresh }: Props): VNode {
  const { words } = speech;
  const [visit, setVisit] = useState<Visit | null>(fresh);
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const [erased, setErased] = useState(false);

  async function read(): Promise<Visit | null> {
    setRefusal(null);
    const answer = await ask<Visit>("GET", OWN, { link });
    if (answer.refusal) setRefusal(answer.refusal);
    else setVisit(answer.value);
    return answer.value ?? null;
  }

  useEffect(() => {
    if (!fresh) void read();
  }, [link]);
  useEffect(() => {
    if (visit) document.title = words.ownTitle(visit.property.name);
  }, [visit, words]);

  if (erased) return <Frame speech={speech} agency={visit?.agency}><Alone title={words.erased} text={words.erasedText} /></Frame>;
  if (refusal && !visit) {
    const bad = refusal.kind === "link-invalid";
    return (
      <Frame speech={speech} agency={undefined}>
        <Alone title={bad ? words.badLink : words.noConnection} {...(bad ? { text: words.badLinkText } : {})}>
          {!bad && <button type="button" class="btn big" onClick={() => void read()}>{words.tryAgain}</button>}
        </Alone>
      </Frame>
    );
  }
  if (!visit) return <Frame speech={speech} agency={undefined}><p class="soft loading" role="status">{words.loading}</p></Frame>;
  return <Shown speech={speech} link={link} fresh={fresh} visit={visit} setVisit={setVisit} read={read} erased={() => setErased(true)} />;
}

interface ShownProps extends Props {
  visit: Visit;
  setVisit: (visit: Visit) => void;
  read: () => Promise<Visit | null>;
  erased: () => void;
}

function Shown({ speech, link, fresh, visit, setVisit, read, erased }: ShownProps): VNode {
  const { words, language } = speech;
  const [Mover, setMover] = useState<typeof Move | null>(null);
  const [doing, setDoing] = useState<Doing>("");
  const [reminded, setReminded] = useState<boolean | null>(null);
  const [told, setTold] = useState("");
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const [busy, setBusy] = useState(false);
  const zone = visit.timeZone;
  const when = (moment: string): string => `${shortDay(moment, zone, language)}, ${timeOf(moment, zone)}`;
  const holds = stands(visit);
  const inTime = Date.now() <= Date.parse(visit.changeableUntil);

  /** One thing at a time; a visit that has changed in the meantime is shown as it is now. */
  async function change(method: string, path: string, body: object | null, done: (answer: Visit) => string): Promise<void> {
    if (busy) return;
    setBusy(true);
    setTold("");
    setRefusal(null);
    const version = method === "PATCH" && body && "date" in body ? { version: visit.version } : {};
    const answer: Answer<Visit> = await ask<Visit>(method, path, { link, ...(body ? { body } : {}), ...version });
    setBusy(false);
    if (answer.refusal) return refused(answer.refusal, body, done);
    if (!answer.value) return erased();
    setVisit(answer.value);
    finish(done(answer.value));
  }

  /** Another change came first; unless it was this one, whose answer was lost. */
  async function refused(why: Refusal, body: object | null, done: (answer: Visit) => string): Promise<void> {
    const now = OVERTAKEN.includes(why.kind) ? await read() : null;
    if (now && body && "date" in body && body.date === now.date) return finish(done(now));
    setRefusal(why);
  }

  function finish(said: string): void {
    setDoing("");
    setTold(said);
  }

  // Who chooses a language here is written to in it.
  const spoken = useRef(language);
  useEffect(() => {
    if (spoken.current !== language && visit.visitor) void change("PATCH", OWN, { language }, () => "");
    spoken.current = language;
  }, [language]);

  /** Shown at once, and taken back where it could not be done. */
  async function remind(on: boolean): Promise<void> {
    setReminded(on);
    await change("PATCH", OWN, { reminders: on }, (after) => (after.reminders ? words.remindersOn : words.remindersOff));
    setReminded(null);
  }

  async function startMoving(): Promise<void> {
    const { Move } = await import("./move.tsx");
    setMover(() => Move);
    setDoing("move");
  }

  const act = { speech, busy, close: () => setDoing(""), refusal };
  return (
    <Frame speech={speech} agency={visit.agency}>
      <main class="booking alone">
        <section class="done">
          <Heading speech={speech} visit={visit} fresh={fresh} />
          {told && <Note title={told} />}
          {refusal && !(holds && doing === "move") && <NotDone speech={speech} refusal={refusal} />}
          <Ticket speech={speech} visit={visit} link={link} calm={doing !== ""}>
            {visit.awaits?.whose === "visitor" && (
              <button type="button" class="btn big main" aria-busy={busy} onClick={() => void change("PUT", `${OWN}/status`, { status: "confirmed" }, (after) => (after.status === "confirmed" ? words.booked : words.askedTitle))}>
                <Icon name="check" />{words.confirmIt}
              </button>
            )}
          </Ticket>
          {holds && doing === "move" && Mover && (
            <Mover {...act} visit={visit} link={link} move={(date) => change("PATCH", OWN, { date }, (after) => words.moved(when(after.date)))} />
          )}
          {holds && doing === "cancel" && (
            <Cancel {...act} cancel={(reason) => change("PUT", `${OWN}/status`, { status: "cancelled", ...(reason ? { reason } : {}) }, () => words.cancelled)} />
          )}
          {holds && !doing && (
            <div class="card tight">
              <p class="soft">{inTime ? words.until(when(visit.changeableUntil)) : words.tooLate}</p>
              {inTime && (
                <div class="pair">
                  <button type="button" class="btn big" onClick={() => void startMoving()}>{words.move}</button>
                  <button type="button" class="btn big bad" onClick={() => setDoing("cancel")}>{words.cancel}</button>
                </div>
              )}
            </div>
          )}
          {doing === "erase" && <Erase {...act} erase={() => change("DELETE", `${OWN}/visitor`, null, () => "")} />}
          {visit.visitor && doing !== "erase" && (
            <div class="card tight">
              {holds && visit.visitor.email && (
                <label class="switch">
                  <input
                    type="checkbox"
                    checked={reminded ?? visit.reminders}
                    onChange={(event) => void remind(event.currentTarget.checked)}
                  />
                  {words.remind}
                </label>
              )}
              <button type="button" class="btn bare bad" onClick={() => setDoing("erase")}>{words.erase}</button>
            </div>
          )}
        </section>
      </main>
    </Frame>
  );
}

function Heading({ speech: { words, language }, visit, fresh }: { speech: Speech; visit: Visit; fresh: Visit | null }): VNode {
  const email = visit.visitor?.email;
  if (fresh?.version === visit.version && stands(visit)) {
    const day = weekday(visit.date, visit.timeZone, language, "long");
    const asked = visit.status === "requested";
    return (
      <div>
        <span class="ok"><Icon name="check" /></span>
        <Arrival>{asked ? words.askedTitle : words.seeYou(day, visit.visitor?.name ?? "")}</Arrival>
        <p class="soft lead">{asked ? words.asked : words.booked} {email ? words.sentTo(email) : words.noMail}</p>
      </div>
    );
  }
  return (
    <div>
      <Arrival>{words.yourVisit}</Arrival>
      <p><span class={`status ${visit.status}`}>{words.states[visit.status]}</span></p>
      {visit.awaits?.whose === "visitor" && <p class="soft lead">{words.confirmBy(timeOf(visit.awaits.until, visit.timeZone))}</p>}
      {visit.awaits?.whose === "agency" && <p class="soft lead">{words.asked}</p>}
    </div>
  );
}

function Ticket({ speech: { words, language }, visit, link, calm, children }: { speech: Speech; visit: Visit; link: string; calm: boolean; children: ComponentChildren }): VNode {
  const zone = visit.timeZone;
  const own = ownTime(visit.date, zone, language);
  const over = visit.status === "cancelled" || visit.status === "declined";
  const end = timeOf(plusMinutes(visit.date, visit.durationMinutes), zone);
  return (
    <div class={`card ${over ? "over" : ""}`}>
      <div class="ticket">
        <div class="leaf" aria-hidden="true">
          <span>{month(visit.date, zone, language, "short")}</span>
          <b>{new Date(visit.date).toLocaleDateString("en-GB", { day: "numeric", timeZone: zone })}</b>
          <i>{weekday(visit.date, zone, language, "short")}</i>
        </div>
        <div>
          <h2>{visit.property.name}</h2>
          <p class="num when"><time dateTime={visit.date}>{longDay(visit.date, zone, language)}, {timeOf(visit.date, zone)}–{end}</time></p>
          <p class="soft">{words.length(visit.durationMinutes, cityOf(zone))}{own && `, ${words.yours(own)}`}</p>
          <p class="soft">{visit.place}</p>
        </div>
      </div>
      <div class="stack">
        {children}
        {!over && visit.awaits?.whose !== "visitor" && (
          <button type="button" class={`btn big ${calm ? "" : "main"}`} onClick={() => save(calendarOf(visit, link, words.summary(visit.property.name)), "visit.ics")}>
            <Icon name="calendar" />{words.addToCalendar}
          </button>
        )}
        <a class="btn big" target="_blank" rel="noreferrer" href={`https://www.openstreetmap.org/search?query=${encodeURIComponent(visit.place)}`}>
          <Icon name="pin" />{words.map}
        </a>
      </div>
    </div>
  );
}

function Cancel({ speech: { words }, busy, close, cancel }: Act & { cancel: (reason: string) => Promise<void> }): VNode {
  const [reason, setReason] = useState("");
  return (
    <section class="card" aria-labelledby="cancel-title">
      <FocusedTitle id="cancel-title">{words.cancelAsk}</FocusedTitle>
      <p class="soft">{words.cancelText}</p>
      <div class="field">
        <label for="reason">{words.reason} <span class="faint">{words.optional}</span></label>
        <textarea class="input" id="reason" maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
      </div>
      <div class="pair">
        <button type="button" class="btn big" onClick={close}>{words.stay}</button>
        <button type="button" class="btn big bad" aria-busy={busy} onClick={() => void cancel(reason.trim())}>{words.cancel}</button>
      </div>
    </section>
  );
}

function Erase({ speech: { words }, busy, close, erase }: Act & { erase: () => Promise<void> }): VNode {
  return (
    <section class="card" aria-labelledby="erase-title">
      <FocusedTitle id="erase-title">{words.eraseAsk}</FocusedTitle>
      <p class="soft">{words.eraseText}</p>
      <div class="pair">
        <button type="button" class="btn big" onClick={close}>{words.stay}</button>
        <button type="button" class="btn big bad" aria-busy={busy} onClick={() => void erase()}>{words.eraseNow}</button>
      </div>
    </section>
  );
}
