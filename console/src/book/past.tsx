// What this tab has booked before: a visit that is still to be confirmed by mail, or one that is to take place.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ask, type Booked, OWN, stands, type Visit } from "./api.ts";
import { Alone, Frame, Icon, type Speech } from "./parts.tsx";
import { shortDay, timeOf } from "./times.ts";

const whenOf = ({ date, timeZone }: Visit, { language }: Speech): string =>
  `${shortDay(date, timeZone, language)}, ${timeOf(date, timeZone)}`;

/** Its time is kept for a visitor who has not confirmed it yet, and only the mail has the link. */
export const isHeld = ({ link, awaits }: Booked): boolean =>
  !link && awaits?.whose === "visitor" && Date.parse(awaits.until) > Date.now();

export function Held({ speech, visit, another }: { speech: Speech; visit: Booked; another: () => void }): VNode {
  const { words } = speech;
  const until = visit.awaits ? timeOf(visit.awaits.until, visit.timeZone) : "";
  return (
    <Frame speech={speech} agency={visit.agency}>
      <Alone icon="mail" title={words.heldTitle} text={words.held(until, visit.visitor?.email ?? "")}>
        <div class="card">
          <h2>{visit.property.name}</h2>
          <p class="num">{whenOf(visit, speech)}</p>
          <button type="button" class="btn big" onClick={another}>{words.another}</button>
        </div>
      </Alone>
    </Frame>
  );
}

/** A visit as it is by now: it may have been moved or cancelled since. It may come late, and leaves the focus alone. */
export function Earlier({ speech, booked }: { speech: Speech; booked: Booked }): VNode | null {
  const { words } = speech;
  const { link } = booked;
  const [visit, setVisit] = useState<Visit | null>(link || booked.awaits ? null : booked);
  useEffect(() => {
    if (link) void ask<Visit>("GET", OWN, { link }).then(({ value }) => setVisit(value ?? null));
  }, [link]);
  if (!visit || !stands(visit)) return null;
  return (
    <div class="note" role="status">
      <Icon name="check" />
      <strong>{words.bookedBefore(whenOf(visit, speech))}</strong>
      {link && <a href={`#${link}`}>{words.seeIt}</a>}
    </div>
  );
}
