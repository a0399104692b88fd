// A button for what cannot be taken back: it asks first, and the second press of a double click is no answer.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { say } from "../words/words.ts";

interface Props {
  bad?: boolean;
  /** What will come of it. */
  means?: string;
  onSure: () => void;
  children: ComponentChildren;
}

export function Sure({ bad = false, means, onSure, children }: Props) {
  /** How wide the button was: nothing beside it moves under the pointer. */
  const width = useSignal<number | null>(null);
  const asking = width.value !== null;
  const press = (event: MouseEvent & { currentTarget: HTMLElement }): void => {
    if (event.detail > 1) return;
    width.value = asking ? null : event.currentTarget.offsetWidth;
    if (asking) onSure();
  };
  return (
    <>
      <button type="button" class={bad || asking ? "btn bad" : "btn"} style={asking ? { minWidth: `${width.value}px` } : {}} onClick={press} onBlur={() => (width.value = null)}>
        {asking ? say().deleteSure : children}
      </button>
      {asking && means && (
        <span class="hint means" role="status">
          {means}
        </span>
      )}
    </>
  );
}
