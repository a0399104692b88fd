// The visit as a file for calendar programs (RFC 5545); the mail has it under the same UID.
import type { Visit } from "./api.ts";
import { plusMinutes } from "./times.ts";

const stamp = (moment: string): string => moment.replace(/[-:]|\.\d+/g, "");

const text = (words: string): string => words.replace(/[\\;,]/g, "\\$&").replace(/\r?\n/g, "\\n");

/** Lines of at most 75 octets, with their ends. */
function folded(line: string): string {
  const octets = new TextEncoder();
  let [made, length] = ["", 0];
  for (const letter of line) {
    const size = octets.encode(letter).length;
    if (length + size > 75) [made, length] = [`${made}\r\n `, 1];
    made += letter;
    length += size;
  }
  return `${made}\r\n`;
}

export function calendarOf(visit: Visit, link: string, summary: string): string {
  const id = link.split("_")[1] ?? link;
  return [
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    "PRODID:-//Property Visits//Visits 1//EN",
    "BEGIN:VEVENT",
    `UID:${id}`,
    `SEQUENCE:${visit.version - 1}`,
    `DTSTAMP:${stamp(new Date().toISOString())}`,
    `DTSTART:${stamp(visit.date)}`,
    `DTEND:${stamp(plusMinutes(visit.date, visit.durationMinutes))}`,
    `SUMMARY:${text(summary)}`,
    `LOCATION:${text(visit.place)}`,
    `STATUS:${visit.status === "confirmed" ? "CONFIRMED" : "TENTATIVE"}`,
    "END:VEVENT",
    "END:VCALENDAR",
  ]
    .map(folded)
    .join("");
}

/** Hands the file to the browser. */
export function save(content: string, name: string): void {
  const address = URL.createObjectURL(new Blob([content], { type: "text/calendar" }));
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
