// A time zone by its name, with all names to choose from.
import { say } from "../words/words.ts";

const zones = (): string[] => Intl.supportedValuesOf("timeZone");

export function ZoneField({ id, value, onChange }: { id: string; value: string; onChange: (zone: string) => void }) {
  const all = zones();
  return (
    <div class="field">
      <label for={id}>{say().timeZone}</label>
      <select id={id} class="input" value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {!all.includes(value) && <option value={value}>{value}</option>}
        {all.map((zone) => (
          <option key={zone} value={zone}>
            {zone.replaceAll("_", " ")}
          </option>
        ))}
      </select>
    </div>
  );
}
