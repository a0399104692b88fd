// Who conducts a visit: initials in the agent's colour, and the name.
import { hueOf, initials } from "../api/agents.ts";

export function AgentName({ id, name }: { id: string | undefined; name: string }) {
  return (
    <span class="row">
      <span class={`who ${hueOf(id)}`} aria-hidden="true">
        {id ? initials(name) : "–"}
      </span>
      {name}
    </span>
  );
}
