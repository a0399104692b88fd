// The tour with openapi-generator's typescript-fetch: book, list, reschedule, cancel, hand in, export.

import { BookVisitInput, Configuration, IntakesApi, PropertiesApi, ResponseError, Visit, VisitsApi } from "./client";

declare const process: { env: Record<string, string> };

const HOUR = 3_600_000;
const START = Math.floor(Date.now() / HOUR) * HOUR + 240 * HOUR;
const BEGINNINGS = { csv: "id,", xlsx: "PK", ics: "BEGIN:VCALENDAR" };

const configuration = new Configuration({ basePath: process.env.VISITS_URL, accessToken: process.env.VISITS_KEY });
const visits = new VisitsApi(configuration);
const intakes = new IntakesApi(configuration);

function must(holds: unknown, what: unknown): asserts holds {
  if (!holds) throw new Error(JSON.stringify(what));
}

function booking(propertyId: string, number: number): { bookVisitInput: BookVisitInput } {
  return {
    bookVisitInput: { propertyId, date: new Date(START + number * HOUR + 123), visitor: { name: "Ada Lovelace" } },
  };
}

async function main(): Promise<void> {
  const { id: house } = await new PropertiesApi(configuration).registerProperty({
    registerPropertyInput: { name: "House", address: "Seestraße 1", timeZone: "Europe/Berlin" },
  });

  const booked = await visits.bookVisitRaw({ ...booking(house, 0), idempotencyKey: "typescript-fetch" });
  const visit = await booked.value();
  must(visit.date.getTime() === START, visit);
  for (let number = 1; number < 5; number++) await visits.bookVisit(booking(house, number));
  const taken = await visits.bookVisit(booking(house, 0)).catch((error: ResponseError) => error.response.json());
  must(taken.type === "urn:visits:problem:slot-taken", taken);

  const found: Visit[] = [];
  let cursor: string | undefined;
  do {
    const page = await visits.listVisits({ propertyId: house, limit: 2, cursor });
    found.push(...page.items);
    cursor = page.nextCursor ?? undefined;
  } while (cursor);
  must(found.length === 5, found);

  const moved = await visits.changeVisitRaw({
    visitId: visit.id,
    ifMatch: booked.raw.headers.get("ETag")!,
    changeVisitInput: { date: new Date(START + 24 * HOUR) },
  });
  must((await moved.value()).date.getTime() === START + 24 * HOUR, moved);
  const cancelled = await visits.changeStatus({
    visitId: visit.id,
    ifMatch: moved.raw.headers.get("ETag")!,
    statusInput: { status: "cancelled", reason: "Rain" },
  });
  must(cancelled.cancellation?.reason === "Rain", cancelled);

  const row = { ...booking(house, 48).bookVisitInput, externalId: `row-${house}` };
  const { id: intakeId } = await intakes.handIn({ intakeInput: { visits: [row] } });
  for (let tries = 0; tries < 300; tries++) {
    if ((await intakes.getIntake({ intakeId })).status === "done") break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const results = await intakes.listResults({ intakeId });
  must(results.items.map((result) => result.status).join() === "created", results);

  for (const format of ["csv", "xlsx", "ics"] as const) {
    const file = await visits.exportVisits({ format, propertyId: house });
    must((await file.text()).startsWith(BEGINNINGS[format]), format);
  }
  console.log("done");
}

void main();
