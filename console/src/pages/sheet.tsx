// One sheet: watched while it is read, corrected row by row, and registered.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, ask, everything, type Refusal, type Schemas } from "../api/client.ts";
import { may } from "../api/session.ts";
import { nameProperties } from "../api/properties.ts";
import { download } from "../parts/download.ts";
import { Icon } from "../parts/icon.tsx";
import { tell } from "../parts/toast.tsx";
import { go, link } from "../route.ts";
import { say } from "../words/words.ts";
import { PageOf, Refused } from "./page.tsx";
import { Row } from "./row.tsx";

type Sheet = Schemas["Sheet"];
export type SheetRow = Schemas["SheetRow"];
export type Field = Schemas["Field"];

const OFTEN = 1_500;
const MOVING = new Set<Sheet["status"]>(["awaiting-upload", "reading", "registering"]);
const ALWAYS: Field[] = ["propertyId", "date", "time", "visitorName"];
const ORDER: Field[] = ["propertyId", "date", "time", "durationMinutes", "visitorName", "visitorPhone", "visitorEmail", "agentId", "place", "status", "notes", "externalId"];

export function SheetPage({ id }: { id: string }) {
  const words = say();
  const sheet = useSignal<Sheet | null>(null);
  const rows = useSignal<SheetRow[]>([]);
  const refusal = useSignal<Refusal | null>(null);
  const picture = useSignal("");
  const params = { path: { sheetId: id } };

  const loadRows = async (): Promise<void> => {
    const answer = await everything((cursor) => ask(api.GET("/sheets/{sheetId}/rows", { params: { ...params, query: { limit: 100, ...cursor } } })));
    if (!answer.done) return;
    rows.value = answer.value;
    await nameProperties(answer.value.flatMap(({ cells }) => cells.flatMap((cell) => (cell.field === "propertyId" ? [...cell.choices, ...(cell.value ? [cell.value] : [])] : []))));
  };
  const load = async (): Promise<Sheet | null> => {
    const answer = await ask(api.GET("/sheets/{sheetId}", { params }));
    refusal.value = answer.done ? null : answer.refusal;
    if (!answer.done) return null;
    sheet.value = answer.value;
    return answer.value;
  };
  const watch = useSignal(0);
  useEffect(() => {
    let current = true;
    const follow = async (): Promise<void> => {
      const now = await load();
      if (!current || !now) return;
      if (MOVING.has(now.status)) {
        setTimeout(() => void follow(), OFTEN);
        return;
      }
      await loadRows();
      if (now.contentType.startsWith("image/")) {
        const answer = await ask(api.GET("/sheets/{sheetId}/picture", { params }));
        if (answer.done) picture.value = answer.value.url;
      }
    };
    void follow();
    return () => {
      current = false;
    };
  }, [id, watch.value]);

  const register = async (): Promise<void> => {
    const answer = await ask(api.POST("/sheets/{sheetId}/register", { params, body: {} }));
    refusal.value = answer.done ? null : answer.refusal;
    if (!answer.done) return;
    tell({ text: words.registering });
    watch.value++;
  };
  const patch = async (row: SheetRow, changes: Schemas["CorrectRowInput"]): Promise<void> => {
    const path = { sheetId: id, row: row.row };
    const answer = await ask(api.PATCH("/sheets/{sheetId}/rows/{row}", { params: { path, header: { "If-Match": `"${row.version}"` } }, body: changes }));
    refusal.value = answer.done ? null : answer.refusal;
    if (answer.done) rows.value = rows.value.map((one) => (one.row === row.row ? answer.value : one));
    else if (answer.refusal.status === 412) await loadRows();
  };
  const clean = rows.value.filter((row) => !row.reviewed && !row.registered && row.issues.length === 0 && row.cells.every((cell) => cell.issues.length === 0));
  const confirmClean = async (): Promise<void> => {
    for (const row of clean) await patch(row, {});
  };
  const ready = rows.value.filter((row) => row.ready).length;
  const now = sheet.value;
  const fields = ORDER.filter((field) => ALWAYS.includes(field) || rows.value.some((row) => row.cells.some((cell) => cell.field === field)));

  return (
    <PageOf title={now?.name ?? "…"} back={{ href: link("sheets"), label: words.pages.sheets }} acts={now && <Acts sheet={now} onRefused={(why) => (refusal.value = why)} />}>
      {now && (MOVING.has(now.status) || now.status === "failed" || now.status === "expired") && <Progress sheet={now} />}
      <Refused refusal={refusal.value} />
      {rows.value.length > 0 && (
        <div class={picture.value ? "sheet-rows pictured" : "sheet-rows"}>
          <div class="rows" tabIndex={0} role="group" aria-label={words.rows}>
            <table class="list">
              <thead>
                <tr>
                  <th scope="col">#</th>
                  {fields.map((field) => (
                    <th key={field} scope="col">
                      {words.fields[field]}
                    </th>
                  ))}
                  <th scope="col">{words.statusTitle}</th>
                </tr>
              </thead>
              <tbody>
                {rows.value.map((row) => (
                  <Row key={row.row} row={row} fields={fields} onPatch={(changes) => void patch(row, changes)} />
                ))}
              </tbody>
            </table>
          </div>
          {picture.value && (
            <figure class="sheet-picture">
              <img src={picture.value} alt={words.pictureOf(now?.name ?? "")} />
            </figure>
          )}
        </div>
      )}
      {rows.value.length > 0 && may("write") && (
        <div class="sheet-foot">
          <p class="grow">
            <strong>{words.willBeRegistered(ready)}</strong> {rows.value.length - ready > 0 && words.rowsWait(rows.value.filter((row) => !row.ready && !row.registered).length)}
          </p>
          {clean.length > 0 && (
            <button type="button" class="btn" onClick={() => void confirmClean()}>
              {words.confirmClean(clean.length)}
            </button>
          )}
          <button type="button" class="btn main" aria-disabled={ready === 0} onClick={() => ready > 0 && void register()}>
            {words.registerSome(ready, rows.value.length)}
          </button>
        </div>
      )}
    </PageOf>
  );
}

function Progress({ sheet }: { sheet: Sheet }) {
  const words = say();
  const failed = sheet.status === "failed" || sheet.status === "expired";
  return (
    <div class="body" role="status">
      <div class={failed ? "note bad" : "note"}>
        <Icon name={failed ? "warn" : "clock"} />
        <p>
          <strong>{words.sheetStatus[sheet.status]}</strong> {sheet.failure && words.failures[sheet.failure]} {sheet.advice}
        </p>
        {!failed && <progress aria-label={words.sheetStatus[sheet.status]} />}
      </div>
    </div>
  );
}

function Acts({ sheet, onRefused }: { sheet: Sheet; onRefused: (why: Refusal) => void }) {
  const words = say();
  const sure = useSignal(false);
  const params = { path: { sheetId: sheet.id } };
  const excel = async (): Promise<void> => {
    const answer = await ask(api.GET("/sheets/{sheetId}/export", { params, parseAs: "blob" }));
    if (answer.done) download(answer.value as Blob, `${sheet.name}.xlsx`);
    else onRefused(answer.refusal);
  };
  const remove = async (): Promise<void> => {
    const answer = await ask(api.DELETE("/sheets/{sheetId}", { params }));
    if (answer.done) go(link("sheets"));
    else onRefused(answer.refusal);
  };
  return (
    <span class="row wrap">
      {sheet.rows > 0 && (
        <button type="button" class="btn" onClick={() => void excel()}>
          <Icon name="save" /> {words.formats.xlsx}
        </button>
      )}
      {may("write") && (
        <button type="button" class="btn bad" onClick={() => (sure.value ? void remove() : (sure.value = true))}>
          {sure.value ? words.deleteSure : words.deleteSheet}
        </button>
      )}
    </span>
  );
}
