// Sends intents until the bank has answered, whatever page is shown meanwhile. One for each user who is signed in.

import type { Client } from "urql";
import { type Answer, discard, type Input, type Intent, isOld, type Kind, send, store, unanswered } from "./intents";
import type { Prove } from "./perform";
import { isRejection, type Rejection } from "./rejections";

export type Success<K extends Kind> = Exclude<Answer<K>, { __typename: `${string}Rejection` }>;

export type Progress<K extends Kind = Kind> =
  /** It was left behind long ago: its user says whether it is to be sent. */
  | { at: "old" }
  | { at: "sending" }
  /** The bank has not said what came of it. It is sent again by itself, with the same key. */
  | { at: "unanswered" }
  | { at: "done"; answer: Success<K> }
  | { at: "refused"; problem: Rejection | Error }
  /** Another tab got the answer. */
  | { at: "elsewhere" };

export type Item<K extends Kind = Kind> = { intent: Intent<K>; progress: Progress<K>; isWatched: boolean };

export class Outbox {
  private items = new Map<string, Item>();
  private list: Item[] = [];
  private readonly listeners = new Set<() => void>();
  private ended = new AbortController();

  constructor(
    private readonly client: Client,
    private readonly userId: string,
    private readonly prove: Prove,
  ) {}

  /** Send what was left unanswered before: by a reload, a crash, or in a tab that was closed. */
  resume(): void {
    this.ended = new AbortController();
    for (const intent of unanswered(this.userId)) {
      if (this.items.has(intent.key)) continue;
      if (isOld(intent)) this.set({ intent, progress: { at: "old" }, isWatched: false });
      else void this.work({ intent, progress: { at: "sending" }, isWatched: false });
    }
  }

  /** Store and send. Returns the key. Throws `NotStored` if it cannot be stored: then it is not sent. */
  submit<K extends Kind>(kind: K, input: Input<K>): string {
    const intent = store(kind, this.userId, input);
    void this.work({ intent, progress: { at: "sending" }, isWatched: true });
    return intent.key;
  }

  /** Send one that was left behind long ago. */
  confirm(key: string): void {
    const item = this.items.get(key);
    if (item) void this.work(item);
  }

  /** Forget one that the user has seen the outcome of, or does not want to be sent. */
  drop(key: string): void {
    discard(key);
    this.items.delete(key);
    this.publish();
  }

  /** Whether a page shows it. What none shows is shown above every page. */
  watch(key: string, isWatched: boolean): void {
    const item = this.items.get(key);
    if (!item) return;
    if (!isWatched && item.progress.at !== "sending" && item.progress.at !== "unanswered") this.items.delete(key);
    else this.items.set(key, { ...item, isWatched });
    this.publish();
  }

  get = (key: string | null): Item | undefined => (key === null ? undefined : this.items.get(key));
  all = (): Item[] => this.list;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  /** Send nothing more: the user has gone. What is unanswered stays stored. */
  end(): void {
    this.ended.abort();
    this.items.clear();
    this.publish();
  }

  private async work(item: Item): Promise<void> {
    const { key } = item.intent;
    const { signal } = this.ended;
    const at = (progress: Progress) => {
      if (!signal.aborted) this.set({ ...(this.items.get(key) ?? item), progress });
    };
    at({ at: "sending" });
    try {
      const answer = await send(this.client, this.prove, item.intent, { signal, onUnanswered: () => at({ at: "unanswered" }) });
      if (answer === null) at({ at: "elsewhere" });
      else if (isRejection(answer)) at({ at: "refused", problem: answer });
      else at({ at: "done", answer: answer as Success<Kind> });
    } catch (error) {
      at({ at: "refused", problem: error as Error });
    }
  }

  private set(item: Item): void {
    this.items.set(item.intent.key, item);
    this.publish();
  }

  private publish(): void {
    this.list = [...this.items.values()];
    this.listeners.forEach((listener) => listener());
  }
}
