// A row of a sheet: what was understood, what is doubtful, and what it takes.
import { useSignal } from "@preact/signals";
import { agentName, agents } from "../api/agents.ts";
import { refusalOf, type Schemas } from "../api/client.ts";
import { properties, propertyName } from "../api/properties.ts";
import { may } from "../api/session.ts";
import { Icon, type Sign } from "../parts/icon.tsx";
import { link } from "../route.ts";
import { refused } from "../visit/refusals.ts";
import { say } from "../words/words.ts";
import type { Words } from "../words/en.ts";

export type Sheet = Schemas["Sheet"];
export type SheetRow = Schemas["SheetRow"];
export type Field = Schemas["Field"];
export type Cell = Schemas["Cell"];
/** In the order in which they are shown. */
export const FIELDS: Field[] = ["propertyId", "date", "time", "durationMinutes", "visitorName", "visitorPhone", "visitorEmail", "agentId", "place", "status", "notes", "externalId"];

export type Kind = Schemas["IssueKind"];
type Doubt = keyof Words["doubts"];

const DOUBTS: Partial<Record<Kind, Doubt>> = {
  missing: "missing",
  "nothing-above": "missing",
  unreadable: "unreadable",
  "formula-error": "unreadable",
  "not-calculated": "unreadable",
  "no-json": "unreadable",
  "no-such-date": "impossible",
  "skipped-time": "impossible",
  "out-of-range": "impossible",
  "too-long": "impossible",
  "unknown-property": "unknown",
  "likely-property": "likely",
  unsure: "unsure",
  ambiguous: "ambiguous",
  "doubled-time": "ambiguous",
  "other-zone": "elsewhere",
  "morning-or-evening": "ambiguous",
  several: "ambiguous",
  "like-another": "repeated",
};

export const doubtOf = (kind: Kind): string => say().doubts[DOUBTS[kind] ?? "assumed"];

interface Props {
  row: SheetRow;
  fields: Field[];
  /** The one of its cells that is looked at. */
  looked: Field | null;
  /** Those whose doubts are told beside the row. */
  told: Cell[];
  onLook: (field: Field) => void;
  /** Gives whether it was kept. */
  onPatch: (changes: Schemas["CorrectRowInput"]) => Promise<boolean>;
}

/** Nobody has said yet that it is what was meant. */
export const isDoubtful = (row: SheetRow, cell: Cell): boolean => cell.issues.length > 0 && !row.reviewed && !row.registered;
export const doubtsOf = (issues: Cell["issues"]): string => [...new Set(issues.map((issue) => doubtOf(issue.kind)))].join(" ");

export function Row({ row, fields, looked, told, onLook, onPatch }: Props) {
  const words = say();
  const doubts = doubtsOf([...row.issues, ...told.flatMap((cell) => cell.issues)]);
  const { sign, look, text } = stateOf(row, words);
  return (
    <tr class={looked ? `${look} sel` : look}>
      <td class="num">{row.line}</td>
      {fields.map((field) => (
        <td key={field} class={`of-${field}`} onFocusIn={() => onLook(field)}>
          <CellField row={row} field={field} cell={row.cells.find((one) => one.field === field)} onKeep={(value) => onPatch({ [field]: value })} />
        </td>
      ))}
      <td class="wide">
        <span class={`state ${look}`}>
          <Icon name={sign} />
          {row.visitId ? <a href={link("agenda", ["week", dayOf(row)], { visit: row.visitId })}>{text}</a> : text}
        </span>
        {row.problem && <span class="sub small">{toldOf(row.problem)}</span>}
        {!row.ready && !row.registered && !row.problem && doubts && <span class="sub small doubts">{doubts}</span>}
        {!row.reviewed && !row.registered && may("write") && (
          <button type="button" class="btn" onClick={() => void onPatch({})}>
            {words.rowIsRight}
          </button>
        )}
      </td>
    </tr>
  );
}

function toldOf(problem: NonNullable<SheetRow["problem"]>): string {
  const { title, text } = refused(refusalOf(problem, problem.status));
  return `${title} ${text}`;
}

/** The day it was registered for; nobody corrects it any more. */
const dayOf = (row: SheetRow): string => row.cells.find((cell) => cell.field === "date")?.value ?? "";

function stateOf(row: SheetRow, words: Words): { sign: Sign; look: string; text: string } {
  if (row.registered) return { sign: "same", look: "done", text: words.rowStates.registered };
  if (row.problem) return { sign: "warn", look: "clash", text: words.rowStates.refused };
  if (row.ready) return { sign: "check", look: "ready", text: words.rowStates.ready };
  return { sign: "ask", look: "look", text: row.reviewed ? words.rowStates.incomplete : words.rowStates.check };
}

interface CellProps {
  row: SheetRow;
  field: Field;
  cell: Cell | undefined;
  onKeep: (value: string | null) => Promise<boolean>;
}

function CellField({ row, field, cell, onKeep }: CellProps) {
  const words = say();
  const typed = useSignal<string | null>(null);
  const value = cell?.value ?? cell?.text ?? "";
  const doubtful = cell !== undefined && isDoubtful(row, cell);
  const label = words.cellOf(row.line, words.fields[field]);
  const lost = useSignal(false);
  /** What was said stays while it is on its way, and where it was refused. */
  const keep = async (said: string): Promise<void> => {
    const kept = await onKeep(said.trim() || null);
    lost.value = !kept;
    if (kept && typed.value === said) typed.value = null;
  };
  const fixed = row.registered || !may("write");
  if (fixed) return <span>{field === "propertyId" && cell?.value ? propertyName(cell.value) : value}</span>;
  const input =
    field === "propertyId" || field === "agentId" ? (
      <select class="cell" aria-label={label} value={typed.value ?? cell?.value ?? ""} onChange={(event) => void keep((typed.value = event.currentTarget.value))}>
        <option value="">{cell?.text || "–"}</option>
        {choicesOf(field, cell).map((id) => (
          <option key={id} value={id}>
            {field === "propertyId" ? propertyName(id) : agentName(id)}
          </option>
        ))}
      </select>
    ) : (
      <input
        class="cell"
        aria-label={label}
        value={typed.value ?? value}
        onInput={(event) => (typed.value = event.currentTarget.value)}
        onChange={() => {
          if (typed.value !== null && typed.value !== value) void keep(typed.value);
          else typed.value = null;
        }}
        aria-invalid={lost.value && typed.value !== null}
      />
    );
  return doubtful ? (
    <span class="unsure" title={doubtsOf(cell.issues)}>
      {input}
      <Icon name="ask" />
    </span>
  ) : (
    input
  );
}

function choicesOf(field: Field, cell: Cell | undefined): string[] {
  const known = field === "propertyId" ? [...properties.value.keys()] : [...agents.value.keys()];
  return [...new Set([...(cell?.value ? [cell.value] : []), ...(cell?.choices ?? []), ...known])];
}
