// How a sheet was read: which order its dates have, what each column is, and what rows lack. Reads it again otherwise.
import { useSignal } from "@preact/signals";
import { api, ask, type Refusal } from "../api/client.ts";
import { properties, propertyName } from "../api/properties.ts";
import { tell } from "../parts/toast.tsx";
import { say } from "../words/words.ts";
import { FIELDS, type Field, type Sheet } from "./row.tsx";
import { ZoneField } from "./zone.tsx";

type Order = NonNullable<Sheet["order"]>;
type Column = Sheet["columns"][number];
const ORDERS: Order[] = ["day-month", "month-day"];

interface Props {
  sheet: Sheet;
  onRead: (sheet: Sheet) => void;
  onRefused: (why: Refusal) => void;
}

export function Reading({ sheet, onRead, onRefused }: Props) {
  const words = say();
  const order = useSignal<Order | "">(sheet.order ?? "");
  const zone = useSignal(sheet.timeZone);
  const property = useSignal(sheet.propertyId ?? "");
  const chosen = useSignal<ReadonlyMap<number, Field | null>>(new Map());
  const readAgain = async (event: Event): Promise<void> => {
    event.preventDefault();
    const body = {
      timeZone: zone.value,
      columns: meant(sheet.columns, chosen.value),
      ...(order.value ? { order: order.value } : {}),
      ...(property.value ? { propertyId: property.value } : {}),
    };
    const answer = await ask(api.PUT("/sheets/{sheetId}/reading", { params: { path: { sheetId: sheet.id } }, body }));
    if (!answer.done) {
      onRefused(answer.refusal);
      return;
    }
    tell({ text: words.wasReadAgain });
    onRead(answer.value);
  };
  return (
    <details class="reading">
      <summary class="btn">{words.readingTitle}</summary>
      <form onSubmit={(event) => void readAgain(event)}>
        <div class="fields">
          <div class="field">
            <label for="r-order">{words.dateOrder}</label>
            <select id="r-order" class="input" value={order.value} onChange={(event) => (order.value = event.currentTarget.value as Order | "")}>
              <option value="">–</option>
              {ORDERS.map((one) => (
                <option key={one} value={one}>
                  {words.dateOrders[one]}
                </option>
              ))}
            </select>
          </div>
          <ZoneField id="r-zone" value={zone.value} onChange={(name) => (zone.value = name)} />
          <div class="field">
            <label for="r-property">{words.propertyOfRest}</label>
            <select id="r-property" class="input" value={property.value} onChange={(event) => (property.value = event.currentTarget.value)}>
              <option value="">–</option>
              {[...new Set([...(sheet.propertyId ? [sheet.propertyId] : []), ...properties.value.keys()])].map((id) => (
                <option key={id} value={id}>
                  {propertyName(id)}
                </option>
              ))}
            </select>
          </div>
        </div>
        <h2>{words.columns}</h2>
        <div class="fields">
          {sheet.columns.map((column) => (
            <ColumnChoice key={column.index} column={column} onChoose={(field) => (chosen.value = new Map(chosen.value).set(column.index, field))} />
          ))}
        </div>
        <button type="submit" class="btn">
          {words.readAgain}
        </button>
      </form>
    </details>
  );
}

function ColumnChoice({ column, onChoose }: { column: Column; onChoose: (field: Field | null) => void }) {
  const words = say();
  const id = `r-column-${column.index}`;
  const together = column.fields.map((field) => words.fields[field]).join(", ");
  return (
    <div class="field">
      <label for={id}>{column.heading || words.columnNumber(column.index + 1)}</label>
      <select id={id} class="input" onChange={(event) => onChoose((event.currentTarget.value || null) as Field | null)}>
        <option value="">–</option>
        {column.fields.length > 1 && (
          <option value="together" selected disabled>
            {together}
          </option>
        )}
        {FIELDS.map((field) => (
          <option key={field} value={field} selected={column.fields.length === 1 && column.fields[0] === field}>
            {words.fields[field]}
          </option>
        ))}
      </select>
    </div>
  );
}

/** What each column is, for all but those that are several things at once: what is left out would be guessed anew. */
function meant(columns: Column[], chosen: ReadonlyMap<number, Field | null>): { index: number; field: Field | null }[] {
  const taken = new Set(chosen.values());
  return columns.flatMap(({ index, fields }) => {
    const [only = null, ...more] = fields;
    if (chosen.has(index)) return [{ index, field: chosen.get(index) ?? null }];
    return more.length > 0 ? [] : [{ index, field: taken.has(only) ? null : only }];
  });
}
