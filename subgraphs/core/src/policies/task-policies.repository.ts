/**
 * Enabled policies of tasks. There may be as many as tasks, so memory has the ids of those of the newest
 * tasks and the contents that were needed lately. A failure needs no read unless its task has a policy whose
 * content is not in memory, or the task is older than all that are known.
 */
import { LRUCache } from 'lru-cache';
import type { Collection } from 'mongodb';
import type { EnabledPolicy, PolicyDocument } from './policy.document.js';

/** Bounds of memory. */
export interface TaskPoliciesLimits {
  /** Number of ids; twice as many while ids arrive. */
  readonly ids: number;
  /** Number of contents. */
  readonly contents: number;
  /** Size of all contents, in characters of their JSON. */
  readonly characters: number;
}

const defaultLimits: TaskPoliciesLimits = { ids: 20_000, contents: 1000, characters: 32 * 1024 * 1024 };

/** Knowledge about one task; revision 0 without a policy. */
interface Known {
  readonly revision: number;
  readonly enabled?: EnabledPolicy | undefined;
}

type StoredPolicy = Pick<PolicyDocument, '_id' | 'kind' | 'revision' | 'enabled'>;

/** Policies of tasks, read when they are needed. */
export class TaskPolicies {
  readonly #policies: Collection<PolicyDocument>;
  readonly #limits: TaskPoliciesLimits;
  /** Ids of enabled policies. It may have some that are not enabled any more; their contents say so. */
  #enabled = new Set<string>();
  /**
   * Ids from here on are enabled policies only if they are in {@link #enabled}. Ids of tasks begin with their
   * time, so that these are the newest tasks; `undefined` before the first load.
   */
  #knownFrom: string | undefined;
  readonly #contents: LRUCache<string, Known>;
  /** Raised when notices may have been missed: reads that began before are not kept. */
  #epoch = 0;

  constructor(policies: Collection<PolicyDocument>, limits: TaskPoliciesLimits = defaultLimits) {
    this.#policies = policies;
    this.#limits = limits;
    this.#contents = new LRUCache({
      max: limits.contents,
      maxSize: limits.characters,
      sizeCalculation: ({ enabled }) => 200 + (enabled ? JSON.stringify(enabled.content).length : 0),
    });
  }

  /** Reads the ids of the newest tasks with enabled policies, and drops all contents. */
  async load(): Promise<void> {
    const { ids } = this.#limits;
    this.#epoch += 1;
    this.#contents.clear();
    const found = await this.#policies
      .find({ kind: 'TASK', applies: true }, { projection: { _id: 1 }, sort: { _id: -1 }, limit: ids + 1 })
      .toArray();
    // Ids that notices have added since are kept.
    for (const { _id } of found.slice(0, ids)) this.#enabled.add(_id);
    this.#knownFrom = found.length > ids ? found[ids - 1]?._id : '';
    this.#trim();
  }

  /** Reads these policies again; called for each notice of the stream. */
  async refresh(ids: readonly string[]): Promise<void> {
    await this.#read(ids);
  }

  /** Records a policy that was just written. */
  set(policy: StoredPolicy): void {
    this.#remember(policy._id, policy);
  }

  /** Enabled policies by id, for those ids that have one. */
  async find(ids: Iterable<string>): Promise<ReadonlyMap<string, EnabledPolicy>> {
    const found = new Map<string, EnabledPolicy>();
    const unread = new Set<string>();
    for (const id of ids) {
      if (this.#isKnown(id) && !this.#enabled.has(id)) continue;
      const known = this.#contents.get(id);
      if (!known) unread.add(id);
      else if (known.enabled) found.set(id, known.enabled);
    }
    if (unread.size === 0) return found;
    for (const { _id, enabled } of await this.#read([...unread])) if (enabled) found.set(_id, enabled);
    return found;
  }

  #isKnown(id: string): boolean {
    return this.#knownFrom !== undefined && id >= this.#knownFrom;
  }

  async #read(ids: readonly string[]): Promise<readonly StoredPolicy[]> {
    if (ids.length === 0) return [];
    const epoch = this.#epoch;
    const projection = { kind: 1, revision: 1, enabled: 1 } as const;
    const found = await this.#policies
      .find<StoredPolicy>({ _id: { $in: [...ids] }, kind: 'TASK' }, { projection })
      .toArray();
    if (epoch !== this.#epoch) return found;
    const byId = new Map(found.map((policy) => [policy._id, policy]));
    for (const id of ids) this.#remember(id, byId.get(id));
    return found;
  }

  /** Records a policy, unless a newer revision is known. */
  #remember(id: string, policy: StoredPolicy | undefined): void {
    const known: Known = policy ? { revision: policy.revision, enabled: policy.enabled } : { revision: 0 };
    if ((this.#contents.peek(id)?.revision ?? -1) > known.revision) return;
    this.#contents.set(id, known);
    if (!known.enabled) this.#enabled.delete(id);
    else if (this.#isKnown(id)) this.#enabled.add(id);
    if (this.#enabled.size > 2 * this.#limits.ids) this.#trim();
  }

  /** Drops the ids of the oldest tasks; from then on, policies of such tasks are looked up. */
  #trim(): void {
    const { ids } = this.#limits;
    if (this.#enabled.size <= ids) return;
    const newest = [...this.#enabled].sort((a, b) => (a < b ? 1 : -1)).slice(0, ids);
    this.#enabled = new Set(newest);
    const oldest = newest[ids - 1];
    if (oldest !== undefined && oldest > (this.#knownFrom ?? '')) this.#knownFrom = oldest;
  }
}
