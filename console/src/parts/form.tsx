// A form that is on its way once at a time: pressing twice sends it once.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";

export function Form({ class: look = "", onSubmit, children }: { class?: string; onSubmit: () => Promise<void>; children: ComponentChildren }) {
  const busy = useSignal(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (busy.value) return;
    busy.value = true;
    try {
      await onSubmit();
    } finally {
      busy.value = false;
    }
  };
  return (
    <form class={look} aria-busy={busy.value} onSubmit={(event) => void submit(event)}>
      {children}
    </form>
  );
}

/** The same wish has the same key, however often it is sent; another one has another. */
export function useWish() {
  const last = useRef({ body: "", key: "" });
  return {
    keyOf(wish: object): string {
      const body = JSON.stringify(wish);
      if (last.current.body !== body) last.current = { body, key: crypto.randomUUID() };
      return last.current.key;
    },
    /** A refusal is an answer: the next try is another wish. */
    answered(): void {
      last.current.body = "";
    },
  };
}
