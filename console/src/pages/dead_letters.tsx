// What the service gave up: how much of what, and what that means for the agency. Operators send it again.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, ask, type Refusal, type Schemas } from "../api/client.ts";
import { say } from "../words/words.ts";
import { Refused } from "./page.tsx";

export function DeadLetters() {
  const words = say();
  const queues = useSignal<Schemas["DeadLetters"][] | null>(null);
  const refusal = useSignal<Refusal | null>(null);
  const load = async (): Promise<void> => {
    const answer = await ask(api.GET("/dead-letters"));
    if (answer.done) queues.value = answer.value.items.filter((each) => each.count > 0);
    else refusal.value = answer.refusal;
  };
  useEffect(() => void load(), []);
  return (
    <section>
      <div class="body">
        <h2>{words.deadTitle}</h2>
        <p class="soft">{words.deadText}</p>
        <Refused refusal={refusal.value} />
        {queues.value?.length === 0 && <p>{words.noneDead}</p>}
      </div>
      {queues.value && queues.value.length > 0 && (
        <table class="list">
          <tbody>
            {queues.value.map(({ queue, count }) => (
              <tr key={queue}>
                <td>
                  <span class="nm">{words.dead[queue].what(count)}</span>
                  <span class="sub">{words.dead[queue].means}</span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
