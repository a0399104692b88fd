// The code for the board in front of a house: it leads visitors to where they book.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, ask, type Refusal } from "../api/client.ts";
import { say } from "../words/words.ts";
import { Refused } from "./page.tsx";

export function Board({ id }: { id: string }) {
  const words = say();
  const picture = useSignal("");
  const address = useSignal("");
  const refusal = useSignal<Refusal | null>(null);
  const load = async (): Promise<void> => {
    const answer = await ask(api.GET("/properties/{propertyId}/booking-code", { params: { path: { propertyId: id } }, parseAs: "text" }));
    if (!answer.done) {
      refusal.value = answer.refusal;
      return;
    }
    const drawn = String(answer.value);
    // An address of ours: nothing in it is escaped.
    address.value = /<title>([^<]*)<\/title>/.exec(drawn)?.[1] ?? "";
    picture.value = URL.createObjectURL(new Blob([drawn], { type: "image/svg+xml" }));
  };
  useEffect(() => {
    void load();
    return () => URL.revokeObjectURL(picture.value);
  }, [id]);
  return (
    <section>
      <h2>{words.boardTitle}</h2>
      <p class="soft">{words.boardText}</p>
      <Refused refusal={refusal.value} />
      {picture.value && (
        <div class="row wrap">
          <img class="board" src={picture.value} alt={words.boardCode} width="120" height="120" />
          <div class="stack">
            <a href={address.value} target="_blank" rel="noreferrer">
              {address.value}
            </a>
            <a class="btn" href={picture.value} download={`${id}.svg`}>
              {words.boardSave}
            </a>
          </div>
        </div>
      )}
    </section>
  );
}
