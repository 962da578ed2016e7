// What all tabs of this browser share, and keep over a reload. Others can write there, and it can be full, or switched off.

/** The browser does not store anything for this page. */
export class NotStored extends Error {
  constructor() {
    super("This browser stores nothing for this page.");
  }
}

/** What is stored under a name; null if there is nothing that can be read. */
export function load<T>(name: string): T | null {
  try {
    return JSON.parse(localStorage.getItem(name) ?? "null") as T | null;
  } catch {
    return null;
  }
}

/** Throws `NotStored` if the browser refuses. */
export function keep(name: string, value: unknown): void {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    throw new NotStored();
  }
}

export function forget(name: string): void {
  try {
    localStorage.removeItem(name);
  } catch {
    // There is nothing to forget where nothing is stored.
  }
}

/** The names that begin with a prefix. */
export function names(prefix: string): string[] {
  try {
    return Object.keys(localStorage).filter((name) => name.startsWith(prefix));
  } catch {
    return [];
  }
}
