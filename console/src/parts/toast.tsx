// A word about what was just done, with the way back; and what went wrong, with the way on.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
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

export function tell(next: Toast): void {
  toast.value = next;
}

/** Errors stay until somebody has read them. */
export function Toasts() {
  const told = toast.value;
  useEffect(() => {
    if (!told || told.bad) return undefined;
    const timer = setTimeout(() => toast.value === told && (toast.value = null), LONG);
    return () => clearTimeout(timer);
  }, [told]);
  return (
    <div class="toasts noprint" role="status" aria-live="polite">
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
