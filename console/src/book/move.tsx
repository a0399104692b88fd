// Another time for one's own visit.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { OWN, type Visit } from "./api.ts";
import { type Act, FocusedTitle, NotDone } from "./doing.tsx";
import { Gone, Picker, useTimes } from "./picker.tsx";
import { timeOf } from "./times.ts";

export function Move({ speech, busy, close, refusal, visit, link, move }: Act & { visit: Visit; link: string; move: (date: string) => Promise<void> }): VNode {
  const { words } = speech;
  const times = useTimes(OWN, link);
  const [start, setStart] = useState("");
  const [lost, setLost] = useState("");
  useEffect(() => {
    // Whatever else was in the way, the time may still be had.
    if (refusal?.kind === "time-not-free") {
      setLost(start && timeOf(start, visit.timeZone));
      setStart("");
      times.again();
    }
  }, [refusal]);
  return (
    <section class="card pick" aria-labelledby="move-title">
      <FocusedTitle id="move-title">{words.moveTo}</FocusedTitle>
      {visit.moving === "request" && <p class="soft">{words.moveAsks}</p>}
      {refusal?.kind === "time-not-free" ? (
        <Gone speech={speech} zone={visit.timeZone} lost={lost} nearest={refusal.nearest} choose={setStart} />
      ) : (
        refusal && <NotDone speech={speech} refusal={refusal} />
      )}
      <Picker speech={speech} zone={visit.timeZone} times={times} chosen={start} choose={setStart} />
      <div class="pair">
        <button type="button" class="btn big" onClick={close}>{words.stay}</button>
        <button type="button" class="btn big main" aria-busy={busy} disabled={!start} onClick={() => void move(start)}>{words.moveHere}</button>
      </div>
    </section>
  );
}
