// What a refusal means to the person: what happened, then what to do.
import type { Refusal } from "../api/client.ts";
import type { Words } from "../words/en.ts";
import { say } from "../words/words.ts";

export interface Told {
  title: string;
  text: string;
}

export interface Concerning {
  /** What somebody else may have changed; a visit unless said. */
  what?: keyof Words["refusals"]["changed"];
  property?: string;
  time?: string;
}

export function refused(refusal: Refusal, about: Concerning = {}): Told {
  const words = say().refusals;
  switch (refusal.kind) {
    case "slot-taken":
      return refusal.conflicts.some((conflict) => conflict.holder === "agent")
        ? { title: words.agentBusy, text: words.agentBusyText }
        : { title: words.taken, text: words.takenText };
    case "outside-hours":
      return { title: words.outside(about.time ?? ""), text: outsideText(refusal) };
    case "precondition-failed":
      return { title: words.changed[about.what ?? "visit"], text: words.changedText };
    case "no-connection":
      return { title: words.noConnection, text: words.noConnectionText };
    case "too-many-requests":
    case "store-busy":
      return { title: words.busy, text: words.busyText };
    case "outcome-unknown":
    case "no-answer":
    case "no-answer-in-time":
      return { title: words.unknown, text: words.unknownText };
    case "insufficient-scope":
      return { title: words.mayNot, text: words.mayNotText };
    case "invalid-input":
      return { title: words.invalid, text: refusal.told ?? words.invalidText };
    case "visits-not-allowed":
      return { title: words.notAllowed(about.property ?? ""), text: words.notAllowedText };
    case "visit-not-started":
      return { title: words.notStarted, text: words.notStartedText };
    case "transition-not-allowed":
    case "slots-released":
      return { title: words.otherStatus, text: words.otherText };
    case "property-not-found":
    case "visit-not-found":
    case "agent-not-found":
    case "sheet-not-found":
    case "webhook-not-found":
      return { title: words.notThere, text: words.otherText };
    case "export-too-large":
      return { title: words.tooLarge, text: words.tooLargeText };
    default:
      // What the API says is for whoever programs against it.
      return { title: words.other, text: words.otherText };
  }
}

/** What is wrong with what was typed into the field that the API knows by this pointer; nothing if nothing is. */
export function wrongAt(refusal: Refusal | null, pointer: string): string | undefined {
  if (!refusal?.errors.some((error) => error.pointer.replace(/^#/, "").endsWith(pointer))) return undefined;
  const { wrong } = say().refusals;
  if (pointer.endsWith("email")) return wrong.email;
  return pointer.endsWith("phone") ? wrong.phone : wrong.other;
}

function outsideText(refusal: Refusal): string {
  const words = say().refusals;
  const reasons: Record<string, string> = {
    closed: words.closed,
    step: words.step,
    notice: words.notice,
    horizon: words.horizon,
  };
  return reasons[refusal.reason ?? ""] ?? "";
}
