// One sheet: watched while it is read, corrected row by row, and registered.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { api, ask, everything, type Refusal, type Schemas, versionTag } from "../api/client.ts";
import { may } from "../api/session.ts";
import { nameProperties } from "../api/properties.ts";
import { download } from "../parts/download.ts";
import { Icon } from "../parts/icon.tsx";
import { tell } from "../parts/toast.tsx";
import { go, link } from "../route.ts";
import { say } from "../words/words.ts";
import { PageOf, Refused } from "./page.tsx";
import { CutOut, type Photo, photoOf, uprightBy, Whole } from "./picture.tsx";
import { Reading } from "./reading.tsx";
import { type Cell, doubtOf, doubtsOf, type Field, FIELDS, isDoubtful, type Kind, Row, type Sheet, type SheetRow } from "./row.tsx";

const OFTEN = 1_500;
const MOVING = new Set<Sheet["status"]>(["awaiting-upload", "reading", "registering"]);
const ALWAYS: Field[] = ["propertyId", "date", "time", "visitorName"];

export function SheetPage({ id }: { id: string }) {
  const words = say();
  const sheet = useSignal<Sheet | null>(null);
  const rows = useSignal<SheetRow[]>([]);
  const refusal = useSignal<Refusal | null>(null);
  const photo = useSignal<Photo | null>(null);
  const looked = useSignal<{ row: number; field: Field } | null>(null);
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
      if (now.contentType.startsWith("image/")) photo.value ??= await photoOf(id);
    };
    void follow();
    return () => {
      current = false;
    };
  }, [id, watch.value]);

  const register = async (): Promise<void> => {
    await queue.current.last;
    const answer = await ask(api.POST("/sheets/{sheetId}/register", { params, body: {} }));
    refusal.value = answer.done ? null : answer.refusal;
    if (!answer.done) return;
    tell({ text: words.registering });
    watch.value++;
  };
  // One after the other: whoever types and then says that the row is right means the row as typed. After a refusal
  // nothing that was said before it counts.
  const queue = useRef({ last: Promise.resolve(true), refused: 0 });
  const patch = (row: number, changes: Schemas["CorrectRowInput"]): Promise<boolean> => {
    const { last, refused } = queue.current;
    queue.current.last = last.then(() => refused === queue.current.refused && send(row, changes));
    return queue.current.last;
  };
  /** Whether it was kept. */
  const send = async (row: number, changes: Schemas["CorrectRowInput"]): Promise<boolean> => {
    const before = rows.value.find((one) => one.row === row);
    if (!before) return false;
    const asked = { path: { sheetId: id, row }, header: { "If-Match": versionTag(before) } };
    const answer = await ask(api.PATCH("/sheets/{sheetId}/rows/{row}", { params: asked, body: changes }));
    refusal.value = answer.done ? null : inWords(answer.refusal);
    if (answer.done) {
      rows.value = rows.value.map((one) => (one.row === row ? answer.value : one));
      return true;
    }
    queue.current.refused++;
    if (answer.refusal.status === 412) await loadRows();
    return false;
  };
  const clean = rows.value.filter((row) => !row.reviewed && !row.registered && row.issues.length === 0 && row.cells.every((cell) => cell.issues.length === 0));
  const confirmClean = async (): Promise<void> => {
    for (const { row } of clean) await patch(row, {});
  };
  const ready = rows.value.filter((row) => row.ready).length;
  const refused = rows.value.filter((row) => row.ready && row.problem).length;
  const lookedAt = (row: SheetRow): Field | null => (looked.value?.row === row.row ? looked.value.field : null);
  const now = sheet.value;
  const fields = FIELDS.filter((field) => ALWAYS.includes(field) || rows.value.some((row) => row.cells.some((cell) => cell.field === field)));

  return (
    <PageOf title={now?.name ?? "…"} back={{ href: link("sheets"), label: words.pages.sheets }} acts={now && <Acts sheet={now} onRefused={(why) => (refusal.value = why)} />}>
      {now && (MOVING.has(now.status) || now.status === "failed" || now.status === "expired") && <Progress sheet={now} />}
      <Refused refusal={refusal.value} />
      {now?.status === "review" && may("write") && (
        <Reading
          key={now.version}
          sheet={now}
          onRead={(read) => {
            refusal.value = null;
            sheet.value = read;
            void loadRows();
          }}
          onRefused={(why) => (refusal.value = why)}
        />
      )}
      {rows.value.length > 0 && (
        <div class={photo.value ? "sheet-rows pictured" : "sheet-rows"}>
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
                  <Row
                    key={row.row}
                    row={row}
                    fields={fields}
                    looked={lookedAt(row)}
                    told={photo.value ? row.cells.filter((cell) => cell.field === lookedAt(row)) : row.cells}
                    onLook={(field) => (looked.value = { row: row.row, field })}
                    onPatch={(changes) => patch(row.row, changes)}
                  />
                ))}
              </tbody>
            </table>
          </div>
          {photo.value && <AsWritten photo={uprightBy(rows.value, photo.value)} name={now?.name ?? ""} seen={seenOf(rows.value, looked.value)} />}
        </div>
      )}
      {rows.value.some((row) => !row.registered) && may("write") && (
        <div class="sheet-foot">
          <p class="grow">
            {ready > refused || refused === 0 ? <strong>{words.willBeRegistered(ready - refused)}</strong> : null} {words.wereRefused(refused)} {rows.value.length - ready > 0 && words.rowsWait(rows.value.filter((row) => !row.ready && !row.registered).length)}
          </p>
          {clean.length > 0 && (
            <button type="button" class="btn" onClick={() => void confirmClean()}>
              {words.confirmClean(clean.length)}
            </button>
          )}
          <button type="button" class="btn main" aria-disabled={ready === 0} onClick={() => ready > 0 && void register()}>
            {ready > refused || refused === 0 ? words.registerSome(ready - refused, rows.value.length) : words.tryAgain}
          </button>
        </div>
      )}
    </PageOf>
  );
}

/** What is wrong with cells, in the words of their doubts. */
function inWords(refusal: Refusal): Refusal {
  const told = refusal.errors.flatMap(({ pointer, detail }) => {
    const kinds = detail.match(/^cannot be read: (.+)$/)?.[1]?.split(", ") as Kind[] | undefined;
    const field = FIELDS.find((one) => pointer === `#/${one}`);
    return kinds && field ? `${say().fields[field]}: ${[...new Set(kinds.map(doubtOf))].join(" ")}` : [];
  });
  return told.length ? { ...refusal, told: told.join(" ") } : refusal;
}

interface Seen {
  row: SheetRow;
  cell: Cell;
}

/** The cell that somebody is at; before that the first that is doubtful. */
function seenOf(rows: SheetRow[], looked: { row: number; field: Field } | null): Seen | undefined {
  const cells = rows.flatMap((row) => row.cells.map((cell) => ({ row, cell })));
  if (looked) return cells.find(({ row, cell }) => row.row === looked.row && cell.field === looked.field);
  return cells.find(({ row, cell }) => cell.place && isDoubtful(row, cell));
}

/** The picture, and cut out of it what stands in a cell. */
function AsWritten({ photo, name, seen }: { photo: Photo; name: string; seen: Seen | undefined }) {
  const words = say();
  const place = seen?.cell.place;
  const label = seen ? words.asWritten(words.cellOf(seen.row.line, words.fields[seen.cell.field])) : "";
  return (
    <figure class="sheet-picture">
      {seen && place && (
        <div class="cut">
          <h2 class="label">{label}</h2>
          <CutOut photo={photo} place={place} label={label} />
          {isDoubtful(seen.row, seen.cell) && <p class="small">{doubtsOf(seen.cell.issues)}</p>}
        </div>
      )}
      <Whole photo={photo} place={place} label={words.pictureOf(name)} />
    </figure>
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
