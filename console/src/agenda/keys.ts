// The grid by keyboard: one tab stop, arrows between visits, and a visit that is moved by arrows.
import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Visit } from "../api/client.ts";
import { may } from "../api/session.ts";
import { saving } from "../api/visits.ts";
import { timeAt } from "../time/zones.ts";
import { announce } from "../parts/announcer.tsx";
import { holdsTime } from "../visit/status.tsx";
import { say } from "../words/words.ts";
import { type Column, minuteIn } from "./column.ts";
import { lift, lifted, liftedFrom, STEP, takeBack } from "./lift.ts";

interface Reach {
  first: number;
  last: number;
  onDrop: (visit: Visit, column: string, minute: number) => void;
}

const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export function useGridKeys(columns: Column[], grid: { current: HTMLElement | null }, { first, last, onDrop }: Reach) {
  const stopAt = useSignal<string | null>(null);
  const all = columns.flatMap((column) => column.visits);
  const current = all.find((visit) => visit.id === stopAt.value) ?? all[0];

  // A visit that is moved to another column is drawn anew there, and back if it was refused: the focus goes along.
  const carried = useRef<string | null>(null);
  const moving = carried.current !== null && saving.value.has(carried.current);
  useLayoutEffect(() => {
    if (carried.current === null) return;
    if (document.activeElement === document.body) blockOf(carried.current)?.focus();
    if (!moving) carried.current = null;
  });
  const blockOf = (id: string) => grid.current?.querySelector<HTMLElement>(`[data-visit="${id}"]`);

  const focusOn = (visit: Visit | undefined): void => {
    if (!visit) return;
    stopAt.value = visit.id;
    blockOf(visit.id)?.focus();
  };

  const walk = (visit: Visit, column: string, [across, along]: [number, number]): void => {
    const here = columns.findIndex((one) => one.key === column);
    if (along !== 0) {
      const own = columns[here]?.visits ?? [];
      focusOn(own[own.findIndex((one) => one.id === visit.id) + along]);
      return;
    }
    for (let n = here + across; n >= 0 && n < columns.length; n += across) {
      const [near] = [...(columns[n]?.visits ?? [])].sort(
        (one, other) => Math.abs(minuteIn(one) - minuteIn(visit)) - Math.abs(minuteIn(other) - minuteIn(visit)),
      );
      if (near) {
        focusOn(near);
        return;
      }
    }
  };

  const carry = ([across, along]: [number, number]): void => {
    const at = lifted.value;
    if (!at) return;
    const here = columns.findIndex((one) => one.key === at.column);
    const column = columns[Math.min(columns.length - 1, Math.max(0, here + across))];
    if (!column) return;
    const minute = Math.min(last * 60 - at.visit.durationMinutes, Math.max(first * 60, at.minute + along * STEP));
    lifted.value = { ...at, column: column.key, minute };
    announce(`${column.name}, ${timeAt(minute)}`);
  };

  const keep = (): void => {
    const at = lifted.value;
    const from = liftedFrom.value;
    takeBack();
    if (at && from && (at.column !== from.column || at.minute !== from.minute)) {
      carried.current = at.visit.id;
      onDrop(at.visit, at.column, at.minute);
    }
  };

  const pressLifted = (event: KeyboardEvent): void => {
    const arrow = ARROWS[event.key];
    if (arrow) carry(arrow);
    else if (event.key === "Enter" || event.key === " ") keep();
    else if (event.key === "Escape") {
      takeBack();
      announce(say().putBackSaid);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return {
    stop: current?.id ?? null,
    enter: (id: string) => (stopAt.value = id),
    press(event: KeyboardEvent, visit: Visit, column: string): void {
      if (lifted.value) {
        pressLifted(event);
        return;
      }
      const arrow = ARROWS[event.key];
      if (arrow) {
        event.preventDefault();
        walk(visit, column, arrow);
      } else if (event.key.toLowerCase() === "r" && !event.ctrlKey && !event.metaKey && may("write") && holdsTime(visit.status)) {
        event.preventDefault();
        event.stopPropagation();
        lift(visit, column, minuteIn(visit), "keys");
        announce(say().lifted);
      }
    },
  };
}
