// One visit: what it is, who comes, and what can be done with it.
import { signal, useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { endOf } from "../agenda/block.tsx";
import { agentName, agents, hueOf, initials } from "../api/agents.ts";
import type { Outcome, Refusal, Status, Visit } from "../api/client.ts";
import { addressOf, propertyName } from "../api/properties.ts";
import { may } from "../api/session.ts";
import { change, type Notices, noticesOf, saving, setStatus } from "../api/visits.ts";
import { draftOf } from "../parts/draft.ts";
import { Field } from "../parts/field.tsx";
import { Form } from "../parts/form.tsx";
import { Icon } from "../parts/icon.tsx";
import { callOf, mapOf } from "../parts/links.ts";
import { tell } from "../parts/toast.tsx";
import { FreeTimes } from "../booking/slots.tsx";
import { clockTime, moment, shortDay } from "../time/dates.ts";
import { now } from "../time/now.ts";
import { dayOf, placeOf, wallOf } from "../time/zones.ts";
import { say } from "../words/words.ts";
import { move } from "./moves.ts";
import { OtherVisits } from "./others.tsx";
import { refused } from "./refusals.ts";
import { distance, hasBegun, holdsTime, StatusMark } from "./status.tsx";

/** What the panel of a visit asks for before it does something. */
type Asking = "reason" | "time" | null;
const asked = signal<{ visit: string; what: Asking }>({ visit: "", what: null });

let before: Element | null = null;

export function askFor(visit: Visit, what: Asking): void {
  if (what) before = document.activeElement;
  asked.value = { visit: visit.id, what };
}

/** Gives the focus back to where it was when what had it is gone, or else to the panel. */
function useFocusBack(panel: { current: HTMLElement | null }, asking: Asking, status: Status): void {
  const first = useRef(true);
  useLayoutEffect(() => {
    if (!first.current && !asking && document.activeElement === document.body) {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
      else panel.current?.focus();
    }
    if (!asking) before = null;
    first.current = false;
  }, [asking, status]);
}

export function Panel({ visit, onClose }: { visit: Visit; onClose: () => void }) {
  const words = say();
  const asking = asked.value.visit === visit.id ? asked.value.what : null;
  const ask = (what: Asking): void => askFor(visit, what);
  const refusal = useSignal<Refusal | null>(null);
  const wall = wallOf(visit.date, visit.timeZone);
  const soon = distance(visit, now.value);
  const panel = useRef<HTMLElement>(null);
  useFocusBack(panel, asking, visit.status);

  const done = (outcome: Outcome<Visit>, text: string): boolean => {
    refusal.value = outcome.done ? null : outcome.refusal;
    if (outcome.done) {
      ask(null);
      tell({ text });
    }
    return outcome.done;
  };
  const become = async (status: Status, reason = ""): Promise<void> => {
    done(await setStatus(visit, status, reason), words.became[status](visit.visitor?.name ?? propertyName(visit.propertyId)));
  };

  return (
    <aside
      class="panel"
      ref={panel}
      tabIndex={-1}
      aria-label={words.visitPanel}
      aria-busy={saving.value.has(visit.id)}
      onKeyDown={(event) => {
        if (event.key === "Escape") {
          if (asking) ask(null);
          else onClose();
        }
      }}
    >
      <header>
        <div class="row">
          <StatusMark status={visit.status} />
          <button type="button" class="btn bare icon" aria-label={words.close} onClick={onClose}>
            <Icon name="x" />
          </button>
        </div>
        <h2>{propertyName(visit.propertyId)}</h2>
        <p class="when">
          {shortDay(dayOf(wall))}, {clockTime(visit.date, visit.timeZone)}–{clockTime(endOf(visit), visit.timeZone)}
        </p>
        <p class="small faint">
          {soon && `${soon}, `}
          {words.zoneOf(placeOf(visit.timeZone))}
        </p>
      </header>
      {may("write") && <Acts visit={visit} asking={asking} onAsk={ask} onBecome={become} />}
      <div class="scroll" tabIndex={0} role="group" aria-label={words.details}>
        {refusal.value && <Trouble refusal={refusal.value} visit={visit} />}
        {asking === "reason" && <Ending visit={visit} onEnd={become} onKeep={() => ask(null)} />}
        {asking === "time" && (
          <div class="facts">
            <FreeTimes
              propertyId={visit.propertyId}
              zone={visit.timeZone}
              minutes={visit.durationMinutes}
              agentId={visit.agentId}
              chosen={null}
              from={dayOf(wall)}
              onPick={({ day, time, start }) => {
                ask(null);
                void move(visit, { wall: `${day}T${time}`, ...(start ? { start } : {}) });
              }}
            />
          </div>
        )}
        <Facts visit={visit} onRefused={(why) => (refusal.value = why)} />
        <OtherVisits visit={visit} />
        <History visit={visit} />
      </div>
    </aside>
  );
}

interface ActsProps {
  visit: Visit;
  asking: Asking;
  onAsk: (what: Asking) => void;
  onBecome: (status: Status) => Promise<void>;
}

function Acts({ visit, asking, onAsk, onBecome }: ActsProps) {
  const words = say();
  const begun = hasBegun(visit, now.value);
  const { status } = visit;
  const open = holdsTime(status);
  if (!open && status !== "completed" && status !== "no_show") return <div class="acts empty" />;
  return (
    <div class="acts">
      {status === "requested" && (
        <button type="button" class="btn main" aria-keyshortcuts="C" onClick={() => void onBecome("confirmed")}>
          {words.confirm}
        </button>
      )}
      {status === "confirmed" && begun && (
        <button type="button" class="btn main" onClick={() => void onBecome("completed")}>
          {words.tookPlace}
        </button>
      )}
      {((status === "confirmed" && begun) || status === "completed") && (
        <button type="button" class="btn" onClick={() => void onBecome("no_show")}>
          {words.didNotCome}
        </button>
      )}
      {status === "no_show" && (
        <button type="button" class="btn" onClick={() => void onBecome("completed")}>
          {words.tookPlace}
        </button>
      )}
      {open && (
        <>
          <button type="button" class="btn" aria-keyshortcuts="R" aria-expanded={asking === "time"} onClick={() => onAsk(asking === "time" ? null : "time")}>
            {words.reschedule}
          </button>
          <button type="button" class="btn bad" aria-keyshortcuts="X" aria-expanded={asking === "reason"} onClick={() => onAsk(asking === "reason" ? null : "reason")}>
            {status === "requested" ? words.declineOrCancel : words.cancelVisit}
          </button>
        </>
      )}
    </div>
  );
}

/** Ends a visit, with a reason for whoever asks later. */
function Ending({ visit, onEnd, onKeep }: { visit: Visit; onEnd: (status: Status, reason: string) => Promise<void>; onKeep: () => void }) {
  const words = say();
  const reason = useSignal("");
  const request = visit.status === "requested";
  const name = visit.visitor?.name ?? propertyName(visit.propertyId);
  const told = useTold(visit);
  useEffect(() => document.getElementById("end-reason")?.focus(), []);
  return (
    <Form class="note ending" onSubmit={() => onEnd(request ? "declined" : "cancelled", reason.value.trim())}>
      <Icon name="x" />
      <p>
        <strong>{request ? words.declineWhose(name) : words.cancelWhose(name)}</strong> {told ? words.freeAndTold : words.freeAtOnce}
      </p>
      <Field id="end-reason" label={words.reason} lines value={reason.value} onInput={(value) => (reason.value = value)} />
      <div class="row wrap">
        <button type="submit" class="btn bad">
          {request ? words.decline : words.cancelVisitYes}
        </button>
        {request && (
          <button type="button" class="btn" onClick={() => void onEnd("cancelled", reason.value.trim())}>
            {words.cancelVisitYes}
          </button>
        )}
        <button type="button" class="btn bare" onClick={onKeep}>
          {words.keepIt}
        </button>
      </div>
    </Form>
  );
}

function Trouble({ refusal, visit }: { refusal: Refusal; visit: Visit }) {
  const told = refused(refusal, { property: propertyName(visit.propertyId) });
  return (
    <div class="note bad" role="alert">
      <Icon name="warn" />
      <p>
        <strong>{told.title}</strong> {told.text}
      </p>
    </div>
  );
}

function Facts({ visit, onRefused }: { visit: Visit; onRefused: (why: Refusal | null) => void }) {
  const words = say();
  const { visitor } = visit;
  const address = addressOf(visit.propertyId);
  const agent = visit.agentId ? agentName(visit.agentId) : words.nobodyYet;
  return (
    <div class="facts">
      {visitor && (
        <div class="fact">
          <Icon name="user" />
          <div>
            <h3>{visitor.name ?? words.visitor}</h3>
            <div class="links">
              {visitor.phone && <a href={callOf(visitor.phone)}>{visitor.phone}</a>}
              {visitor.email && <a href={`mailto:${visitor.email}`}>{visitor.email}</a>}
            </div>
            {visitor.email && visit.notify && <StoppedMail key={visitor.email} visit={visit} />}
          </div>
        </div>
      )}
      {address && (
        <div class="fact">
          <Icon name="home" />
          <span>{address}</span>
          <a class="tail btn bare icon" href={mapOf(address)} target="_blank" rel="noreferrer" aria-label={words.mapOf(address)}>
            <Icon name="pin" />
          </a>
        </div>
      )}
      {visit.place !== address && (
        <div class="fact">
          <Icon name="flag" />
          <span>{words.meetAtPlace(visit.place)}</span>
        </div>
      )}
      <div class="fact">
        <span class={`who ${hueOf(visit.agentId)}`} aria-hidden="true">
          {visit.agentId ? initials(agent) : "–"}
        </span>
        {may("write") && holdsTime(visit.status) ? (
          <select class="input" aria-label={words.agent} value={visit.agentId ?? ""} onChange={(event) => void move(visit, { agentId: event.currentTarget.value || null })}>
            <option value="">{words.nobodyYet}</option>
            {[...new Set([...agents.value.keys(), ...(visit.agentId ? [visit.agentId] : [])])].map((id) => (
              <option key={id} value={id}>
                {agentName(id)}
              </option>
            ))}
          </select>
        ) : (
          <span>{agent}</span>
        )}
      </div>
      {may("write") ? <Notes visit={visit} onRefused={onRefused} /> : visit.notes && <Note text={visit.notes} />}
      {visit.cancellation?.reason && <Note text={visit.cancellation.reason} />}
    </div>
  );
}

/** That the visitor does not hear of anything, and why: then somebody has to call. */
function StoppedMail({ visit }: { visit: Visit }) {
  const why = useNotices(visit)?.stopped;
  if (!why) return null;
  return (
    <div class="note wait">
      <Icon name="warn" />
      <p>{say().mailStopped[why]}</p>
    </div>
  );
}

/** What is known of the mail about a visit that has any. */
function useNotices(visit: Visit): Notices | null {
  const known = useSignal<Notices | null>(null);
  const some = Boolean(visit.visitor?.email && visit.notify);
  useEffect(() => {
    if (some) void noticesOf(visit.id).then((answer) => (known.value = answer.done ? answer.value : null));
  }, [visit.id, visit.version, some]);
  return some ? known.value : null;
}

/** Whether its visitor hears of it when it ends now: none is sent of what has begun. */
function useTold(visit: Visit): boolean {
  const notices = useNotices(visit);
  return notices !== null && !notices.stopped && !hasBegun(visit, now.value);
}

const Note = ({ text }: { text: string }) => (
  <div class="fact">
    <Icon name="note" />
    <span class="lines">{text}</span>
  </div>
);

/** The note, which stays as typed whatever happens to the visit meanwhile, and whichever is looked at. */
function Notes({ visit, onRefused }: { visit: Visit; onRefused: (why: Refusal | null) => void }) {
  const words = say();
  const draft = draftOf(`note ${visit.id}`, { notes: visit.notes ?? "" });
  const typed = draft.value.notes.trim() !== (visit.notes ?? "");
  const keep = async (): Promise<void> => {
    const notes = draft.value.notes.trim() || null;
    const outcome = await change(visit, { notes }, notes ? { ...visit, notes } : visit);
    onRefused(outcome.done ? null : outcome.refusal);
    if (!outcome.done) return;
    draft.kept(draft.value);
    tell({ text: words.noteKept });
  };
  return (
    <div class="fact">
      <Icon name="note" />
      <div class="stack">
        <textarea class="input" aria-label={words.note} maxLength={2000} placeholder={words.notePlaceholder} value={draft.value.notes} onInput={(event) => draft.type({ notes: event.currentTarget.value })} />
        {typed && (
          <button type="button" class="btn" onClick={() => void keep()}>
            {words.keepNote}
          </button>
        )}
      </div>
    </div>
  );
}

function History({ visit }: { visit: Visit }) {
  const words = say();
  const zone = visit.timeZone;
  const lines: [string, string][] = [[words.history.created, visit.createdAt]];
  if (visit.cancellation) lines.push([words.history[visit.status === "declined" ? "declined" : "cancelled"], visit.cancellation.at]);
  else if (visit.updatedAt !== visit.createdAt) lines.push([words.history.changed, visit.updatedAt]);
  return (
    <div class="log">
      <h3 class="label">{words.historyTitle}</h3>
      <p class="small faint">{words.zoneOf(placeOf(zone))}</p>
      <ul>
        {lines.map(([what, at]) => (
          <li key={what}>
            {what}
            <br />
            <time dateTime={at}>{moment(at, zone)}</time>
          </li>
        ))}
      </ul>
    </div>
  );
}
