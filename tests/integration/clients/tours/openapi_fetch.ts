// The tour with openapi-fetch and the types of openapi-typescript: book, list, reschedule, cancel, hand in, export.

import createClient from "openapi-fetch";

import type { components, paths } from "./contract";

declare const process: { env: Record<string, string> };

type BookVisitInput = components["schemas"]["BookVisitInput"];

const HOUR = 3_600_000;
const START = Math.floor(Date.now() / HOUR) * HOUR + 240 * HOUR;
const BEGINNINGS = { csv: "id,", xlsx: "PK", ics: "BEGIN:VCALENDAR" };

const client = createClient<paths>({
  baseUrl: process.env.VISITS_URL,
  headers: { Authorization: `Bearer ${process.env.VISITS_KEY}` },
});

function must(holds: unknown, what: unknown): asserts holds {
  if (!holds) throw new Error(JSON.stringify(what));
}

// toISOString() has milliseconds.
function booking(propertyId: string, number: number): BookVisitInput {
  return { propertyId, date: new Date(START + number * HOUR + 123).toISOString(), visitor: { name: "Ada Lovelace" } };
}

async function main(): Promise<void> {
  const registered = await client.POST("/properties", {
    body: { name: "House", address: "Seestraße 1", timeZone: "Europe/Berlin" },
  });
  must(registered.data, registered.error);
  const house = registered.data.id;

  const header = { "Idempotency-Key": "openapi-fetch" };
  const booked = await client.POST("/visits", { params: { header }, body: booking(house, 0) });
  must(booked.data, booked.error);
  // 201 and 202 are told apart by the status.
  must(booked.data.status === "confirmed", booked.data);
  const visit = booked.data;
  must(visit.propertyId === house && visit.date === `${new Date(START).toISOString().slice(0, 19)}Z`, visit);

  for (let number = 1; number < 5; number++) {
    must((await client.POST("/visits", { body: booking(house, number) })).response.status === 201, number);
  }
  const taken = await client.POST("/visits", { body: booking(house, 0) });
  must(taken.error && "conflicts" in taken.error && taken.error.conflicts[0].holder === "property", taken);

  const found = [];
  let cursor: string | undefined;
  do {
    const page = await client.GET("/visits", { params: { query: { propertyId: house, limit: 2, cursor } } });
    must(page.data, page.error);
    found.push(...page.data.items);
    cursor = page.data.nextCursor ?? undefined;
  } while (cursor);
  must(found.length === 5, found);

  const moved = await client.PATCH("/visits/{visitId}", {
    params: { path: { visitId: visit.id }, header: { "If-Match": booked.response.headers.get("ETag")! } },
    body: { date: new Date(START + 24 * HOUR).toISOString() },
    headers: { "Content-Type": "application/merge-patch+json" },
  });
  must(moved.data && moved.data.date !== visit.date, moved.error);
  const cancelled = await client.PUT("/visits/{visitId}/status", {
    params: { path: { visitId: visit.id }, header: { "If-Match": moved.response.headers.get("ETag")! } },
    body: { status: "cancelled", reason: "Rain" },
  });
  must(cancelled.data?.cancellation?.reason === "Rain", cancelled.error);

  const later = await client.POST("/visits", {
    params: { header: { Prefer: "respond-async" } },
    body: booking(house, 100),
  });
  must(later.data && "counts" in later.data && later.data.status === "queued", later);
  const handed = await client.POST("/intakes", { body: { visits: [{ ...booking(house, 48), externalId: `row-${house}` }] } });
  must(handed.data, handed.error);
  const path = { intakeId: handed.data.id };
  for (let tries = 0; tries < 300; tries++) {
    if ((await client.GET("/intakes/{intakeId}", { params: { path } })).data?.status === "done") break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const results = await client.GET("/intakes/{intakeId}/results", { params: { path } });
  must(results.data?.items.map((result) => result.status).join() === "created", results);

  for (const format of ["csv", "xlsx", "ics"] as const) {
    const file = await client.GET("/visits/export", {
      params: { query: { format, propertyId: house } },
      parseAs: "arrayBuffer",
    });
    must(file.data, file.error);
    must(new TextDecoder().decode(file.data).startsWith(BEGINNINGS[format]), format);
  }
  console.log("done");
}

void main();
