// Calendar days, as `2026-11-26`: arithmetic without any clock or zone.
export type Day = string;

const MILLISECONDS = 86_400_000;

export const utcOf = (day: Day): Date => new Date(`${day}T00:00:00Z`);
export const plusDays = (day: Day, days: number): Day =>
  new Date(utcOf(day).getTime() + days * MILLISECONDS).toISOString().slice(0, 10);

/** 0 is Monday. */
export const weekdayOf = (day: Day): number => (utcOf(day).getUTCDay() + 6) % 7;
export const mondayOf = (day: Day): Day => plusDays(day, -weekdayOf(day));
export const daysFrom = (first: Day, count: number): Day[] => Array.from({ length: count }, (_, n) => plusDays(first, n));
export const isDay = (text: string | undefined): text is Day =>
  text !== undefined && /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(utcOf(text).getTime());

export const firstOfMonth = (day: Day): Day => `${day.slice(0, 7)}-01`;
export const plusMonths = (day: Day, months: number): Day => {
  const date = utcOf(firstOfMonth(day));
  date.setUTCMonth(date.getUTCMonth() + months);
  return date.toISOString().slice(0, 10);
};
