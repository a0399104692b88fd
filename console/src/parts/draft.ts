// What somebody typed over what was read. It stays until it is kept or thrown away, wherever they look meanwhile; what they
// did not touch is as it was read last.
import { signal } from "@preact/signals";

const drafts = signal<ReadonlyMap<string, object>>(new Map());

const written = (value: unknown): string => JSON.stringify(value ?? null);

export function draftOf<T extends object>(of: string, read: T) {
  const typed = (): Partial<T> => drafts.value.get(of) ?? {};
  const put = (changes: Partial<T>, than: Partial<T>): void => {
    const differ = Object.entries(changes).filter(([name, value]) => written(value) !== written(than[name as keyof T]));
    const all = new Map(drafts.value);
    if (differ.length > 0) all.set(of, Object.fromEntries(differ));
    else all.delete(of);
    drafts.value = all;
  };
  return {
    value: { ...read, ...typed() },
    typed: drafts.value.has(of),
    type: (changes: Partial<T>): void => put({ ...typed(), ...changes }, read),
    /** That was kept; what was typed since then stays. */
    kept: (value: T): void => put(typed(), value),
    forget: (): void => put({}, read),
  };
}
