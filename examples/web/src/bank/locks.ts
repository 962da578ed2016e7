// One at a time, in all tabs of this browser.

const tails = new Map<string, Promise<unknown>>();

/**
 * Run a task while no other one of this name runs: in no tab. Where the browser has no Web Locks, as without HTTPS, in this tab.
 */
export function exclusively<T>(name: string, task: () => Promise<T>): Promise<T> {
  if (navigator.locks) return navigator.locks.request(name, task) as Promise<T>;
  const next = (tails.get(name) ?? Promise.resolve()).then(task);
  tails.set(name, next.catch(() => undefined));
  return next;
}
