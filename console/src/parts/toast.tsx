// A word about what was just done, with the way back; and what went wrong, with the way on.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { say } from "../words/words.ts";
import { Icon } from "./icon.tsx";

export interface Toast {
  text: string;
  more?: string;
  bad?: boolean;
  acts?: { label: string; act: () => void }[];
}

export const toast = signal<Toast | null>(null);
const LONG = 9_000;
/** Who is to undo something has to find the button first. */
const LONGER = 30_000;

export function tell(next: Toast): void {
  toast.value = next;
}

/** Errors stay until somebody has read them; nothing goes while somebody is at it. */
export function Toasts() {
  const told = toast.value;
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!told || told.bad) return undefined;
    let timer = 0;
    const wait = (): void => {
      timer = setTimeout(() => {
        if (box.current?.matches(":hover, :focus-within")) wait();
        else if (toast.value === told) toast.value = null;
      }, told.acts ? LONGER : LONG);
    };
    wait();
    return () => clearTimeout(timer);
  }, [told]);
  return (
    <div class="toasts noprint" role="status" aria-live="polite" ref={box}>
      {told && (
        <div class={told.bad ? "toast bad" : "toast"}>
          <Icon name={told.bad ? "warn" : "check"} />
          <p>
            <strong>{told.text}</strong> {told.more}
          </p>
          <div class="row wrap">
            {told.acts?.map(({ label, act }) => (
              <button
                class="btn"
                type="button"
                onClick={() => {
                  toast.value = null;
                  act();
                }}
              >
                {label}
              </button>
            ))}
            <button class="btn bare icon" type="button" aria-label={say().close} onClick={() => (toast.value = null)}>
              <Icon name="x" />
            </button>
          </div>
        </div>
      )}
    </div>
  );
}
