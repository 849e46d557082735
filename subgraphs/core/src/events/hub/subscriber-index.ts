/**
 * Index of subscribers by the most selective condition of their filters, so that an event is not matched
 * against all of them.
 */
import { matches, type EventFilter } from './event-filter.js';
import type { StreamedJobEvent } from '../feed/job-event.js';

/** A subscriber with its filter. */
export interface Subscriber {
  readonly filter: EventFilter;
  push(event: StreamedJobEvent): void;
  /** Called when no more events will be pushed. */
  close(): void;
}

type Dimension = 'job' | 'task' | 'label' | 'owner' | 'queue' | 'share' | 'state' | 'experiment';

/** Finds the subscribers of an event. */
export class SubscriberIndex {
  readonly #by: Readonly<Record<Dimension, Map<string, Set<Subscriber>>>> = {
    job: new Map(),
    task: new Map(),
    label: new Map(),
    owner: new Map(),
    queue: new Map(),
    share: new Map(),
    state: new Map(),
    experiment: new Map(),
  };
  readonly #all = new Set<Subscriber>();
  #size = 0;

  /** Number of subscribers. */
  get size(): number {
    return this.#size;
  }

  /** Adds a subscriber. Returns a function that removes it. */
  add(subscriber: Subscriber): () => void {
    const indexed = indexKeysOf(subscriber.filter);
    this.#size += 1;
    if (!indexed) this.#all.add(subscriber);
    for (const key of indexed?.keys ?? []) {
      const map = this.#by[indexed?.dimension ?? 'job'];
      const there = map.get(key);
      if (there) there.add(subscriber);
      else map.set(key, new Set([subscriber]));
    }
    let isThere = true;
    return () => {
      if (!isThere) return;
      isThere = false;
      this.#size -= 1;
      this.#remove(subscriber);
    };
  }

  /** Ends all subscribers: each continues elsewhere, from its own position. */
  closeAll(): void {
    const subscribers = new Set(this.#all);
    for (const map of Object.values(this.#by))
      for (const there of map.values()) there.forEach((one) => subscribers.add(one));
    for (const subscriber of subscribers) subscriber.close();
  }

  /** Pushes an event to the matching subscribers. */
  deliver(event: StreamedJobEvent): void {
    const { jobId, last } = event;
    give(this.#by.job.get(jobId), event);
    if (last.taskId !== undefined) give(this.#by.task.get(last.taskId), event);
    if (this.#by.label.size > 0) this.#deliverByLabel(event);
    give(this.#by.owner.get(last.owner), event);
    if (last.queue !== undefined) give(this.#by.queue.get(last.queue), event);
    give(this.#by.share.get(last.share), event);
    give(this.#by.state.get(last.to), event);
    give(this.#by.experiment.get(last.experiment), event);
    give(this.#all, event);
  }

  /** Pushes an event that has two labels of one subscriber only once. */
  #deliverByLabel(event: StreamedJobEvent): void {
    const those = event.last.labels.flatMap((label) => [...(this.#by.label.get(label) ?? [])]);
    give(new Set(those), event);
  }

  #remove(subscriber: Subscriber): void {
    const indexed = indexKeysOf(subscriber.filter);
    if (!indexed) this.#all.delete(subscriber);
    for (const key of indexed?.keys ?? []) {
      const map = this.#by[indexed?.dimension ?? 'job'];
      const there = map.get(key);
      there?.delete(subscriber);
      if (there?.size === 0) map.delete(key);
    }
  }
}

function give(subscribers: ReadonlySet<Subscriber> | undefined, event: StreamedJobEvent): void {
  if (!subscribers) return;
  for (const subscriber of subscribers) {
    if (matches(subscriber.filter, event)) subscriber.push(event);
  }
}

/** The most selective condition of a filter; undefined for a filter without conditions. */
function indexKeysOf(
  filter: EventFilter,
): { readonly dimension: Dimension; readonly keys: readonly string[] } | undefined {
  if (filter.jobIds) return { dimension: 'job', keys: [...filter.jobIds] };
  if (filter.taskIds) return { dimension: 'task', keys: [...filter.taskIds] };
  if (filter.labels) return { dimension: 'label', keys: [...filter.labels] };
  if (filter.owners) return { dimension: 'owner', keys: [...filter.owners] };
  if (filter.queues) return { dimension: 'queue', keys: [...filter.queues] };
  if (filter.shares) return { dimension: 'share', keys: [...filter.shares] };
  if (filter.states) return { dimension: 'state', keys: [...filter.states] };
  if (filter.experiments) return { dimension: 'experiment', keys: [...filter.experiments] };
  return undefined;
}
