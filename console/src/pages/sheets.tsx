// Lists of visits on paper or in files: handed in here, and those that were.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, ask, type Refusal, type Schemas } from "../api/client.ts";
import { homeZone } from "../api/properties.ts";
import { may } from "../api/session.ts";
import { Icon } from "../parts/icon.tsx";
import { go, link, route } from "../route.ts";
import { moment } from "../time/dates.ts";
import { browserZone } from "../time/zones.ts";
import { say } from "../words/words.ts";
import { PageOf, Refused } from "./page.tsx";
import { SheetPage } from "./sheet.tsx";

type Kind = Schemas["Kind"];

const KINDS: Record<string, Kind> = {
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  png: "image/png",
  pdf: "application/pdf",
  csv: "text/csv",
  ndjson: "application/x-ndjson",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
};
const ACCEPTED = Object.keys(KINDS)
  .map((end) => `.${end}`)
  .join(",");

export function Sheets() {
  const id = route.value.parts[0];
  return id ? <SheetPage key={id} id={id} /> : <List />;
}

const kindOf = (file: File): Kind | undefined => KINDS[file.name.split(".").pop()?.toLowerCase() ?? ""];

/** Announces the file, uploads it, and gives the id of its sheet. */
async function handIn(file: File, kind: Kind): Promise<{ id: string } | { refusal: Refusal }> {
  const body = { name: file.name, contentType: kind, size: file.size, timeZone: homeZone.value };
  const announced = await ask(api.POST("/sheets", { body }));
  if (!announced.done) return { refusal: announced.refusal };
  const { id, upload } = announced.value;
  const form = new FormData();
  for (const [name, value] of Object.entries(upload.fields)) form.append(name, value);
  form.append("file", file);
  const sent = await ask(fetch(upload.url, { method: "POST", body: form }).then((response) => ({ response, data: null })));
  return sent.done ? { id } : { refusal: sent.refusal };
}

function List() {
  const words = say();
  const sheets = useSignal<Schemas["Sheet"][]>([]);
  const refusal = useSignal<Refusal | null>(null);
  useEffect(() => {
    void ask(api.GET("/sheets", { params: { query: { limit: 50 } } })).then((answer) => {
      if (answer.done) sheets.value = answer.value.items;
      else refusal.value = answer.refusal;
    });
  }, []);
  return (
    <PageOf title={words.pages.sheets}>
      <div class="body">
        {may("write") && <HandIn />}
        <Refused refusal={refusal.value} />
      </div>
      {sheets.value.length > 0 && (
        <table class="list">
          <thead>
            <tr>
              <th scope="col">{words.sheet}</th>
              <th scope="col">{words.rows}</th>
              <th scope="col">{words.statusTitle}</th>
            </tr>
          </thead>
          <tbody>
            {sheets.value.map((sheet) => (
              <tr key={sheet.id}>
                <td>
                  <a class="nm" href={link("sheets", [sheet.id])}>
                    {sheet.name}
                  </a>
                  <span class="sub">{moment(sheet.createdAt, browserZone())}</span>
                </td>
                <td class="num">{sheet.rows > 0 && words.registeredOf(sheet.registered, sheet.rows)}</td>
                <td>{words.sheetStatus[sheet.status]}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </PageOf>
  );
}

function HandIn() {
  const words = say();
  const over = useSignal(false);
  const busy = useSignal("");
  const refusal = useSignal<Refusal | null>(null);
  const wrong = useSignal("");
  const take = async (file: File | undefined): Promise<void> => {
    if (!file || busy.value) return;
    const kind = kindOf(file);
    wrong.value = kind === undefined ? words.wrongKind : file.size === 0 ? words.emptyFile : "";
    refusal.value = null;
    if (!kind || wrong.value) return;
    busy.value = file.name;
    const outcome = await handIn(file, kind);
    busy.value = "";
    if ("id" in outcome) go(link("sheets", [outcome.id]));
    else refusal.value = outcome.refusal;
  };
  return (
    <>
      <div
        class={over.value ? "drop over" : "drop"}
        onDragOver={(event) => {
          event.preventDefault();
          over.value = true;
        }}
        onDragLeave={() => (over.value = false)}
        onDrop={(event) => {
          event.preventDefault();
          over.value = false;
          void take(event.dataTransfer?.files[0]);
        }}
      >
        <Icon name="save" />
        <h2 id="hand-in">{busy.value ? words.uploading(busy.value) : words.handIn}</h2>
        <p class="soft">{words.handInText}</p>
        {busy.value && <progress aria-label={words.uploading(busy.value)} />}
        <input type="file" aria-labelledby="hand-in" accept={ACCEPTED} onChange={(event) => void take(event.currentTarget.files?.[0])} />
      </div>
      {wrong.value && (
        <p class="note bad" role="alert">
          <Icon name="warn" /> <span>{wrong.value}</span>
        </p>
      )}
      <Refused refusal={refusal.value} />
    </>
  );
}
