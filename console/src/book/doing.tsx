// What one can do with one's own visit, each in a card that opens and closes.
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Refusal } from "./api.ts";
import { Note, type Speech } from "./parts.tsx";

export interface Act {
  speech: Speech;
  busy: boolean;
  close: () => void;
  refusal: Refusal | null;
}

/** The title of what has just been opened. */
export function FocusedTitle({ id, children }: { id: string; children: ComponentChildren }): VNode {
  const place = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    place.current?.focus();
    place.current?.scrollIntoView({ block: "nearest" });
  }, []);
  return <h2 id={id} tabIndex={-1} ref={place}>{children}</h2>;
}

/** The visit is not as it was shown any more. */
export const OVERTAKEN = ["precondition-failed", "slots-released", "transition-not-allowed"];

export function NotDone({ speech: { words }, refusal }: { speech: Speech; refusal: Refusal }): VNode {
  if (OVERTAKEN.includes(refusal.kind)) return <Note kind="wait" title={words.changedMeanwhile} />;
  if (refusal.kind === "too-late") return <Note kind="wait" title={words.tooLate} />;
  if (refusal.kind === "link-invalid") return <Note kind="bad" title={words.badLink}><p>{words.badLinkText}</p></Note>;
  if (refusal.status === 429) return <Note kind="wait" title={words.busy} />;
  return <Note kind="bad" title={refusal.kind === "no-answer" ? words.unknown : words.tooLate} />;
}
