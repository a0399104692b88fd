// Says something to whoever hears the page instead of seeing it.
import { signal } from "@preact/signals";

const said = signal("");

export function announce(text: string): void {
  said.value = text;
}

export function Announcer() {
  return (
    <p class="off" role="status" id="said">
      {said.value}
    </p>
  );
}
