// Properties by a few letters, while somebody types.
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Property } from "../api/client.ts";
import { findProperties } from "../api/properties.ts";

const PATIENCE = 150;
const MOMENT = 150;

export function usePropertySearch(onPick: (property: Property) => void) {
  const found = useSignal<Property[] | null>(null);
  const active = useSignal(0);
  const turn = useRef(0);
  const search = useRef({ pending: false, hurried: false });

  const stop = (): void => {
    turn.current++;
    search.current = { pending: false, hurried: false };
    found.value = null;
  };
  const pick = (property: Property | undefined): void => {
    if (!property) return;
    stop();
    onPick(property);
  };
  return {
    found,
    active,
    stop,
    pick,
    leave: () => setTimeout(() => (found.value = null), MOMENT),
    look(letters: string): void {
      if (!letters.trim()) return stop();
      const mine = ++turn.current;
      search.current = { pending: true, hurried: false };
      setTimeout(async () => {
        if (mine !== turn.current) return;
        const hits = await findProperties(letters.trim());
        if (mine !== turn.current) return;
        const { hurried } = search.current;
        search.current = { pending: false, hurried: false };
        active.value = 0;
        found.value = hits;
        if (hurried) pick(hits[0]);
      }, PATIENCE);
    },
    step(by: 1 | -1): void {
      const count = found.value?.length ?? 0;
      active.value = (active.value + by + count) % Math.max(1, count);
    },
    /** Takes the one that is marked. Who does not wait for the answer gets the first of it, never one of what was found for fewer letters. */
    take(): boolean {
      if (search.current.pending) search.current.hurried = true;
      else if (found.value) pick(found.value[active.value]);
      else return false;
      return true;
    },
  };
}
