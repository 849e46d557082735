/** Access to the collections of policies. */
import { isDuplicateKey, keysetPage, keysetPages, type KeysetPage } from '@rhizome/mongo';
import type { Collection, Filter } from 'mongodb';
import {
  type EnabledPolicy,
  policyId,
  type PolicyDocument,
  policySchemaVersion,
  type PolicyVersionDocument,
  type PolicyView,
  versionId,
} from './policy.document.js';
import { PolicyMemory } from './policy-memory.repository.js';
import type { PolicyScope } from './policy.types.js';

const majority = { writeConcern: { w: 'majority' } } as const;
/** Number of concurrent versions after which a new one gives up. */
const maxTries = 10;

/** A version to add. */
export type NewVersion = Pick<PolicyVersionDocument, 'author' | 'comment' | 'content' | 'createdAt'>;

/** Page of the versions of a policy. */
export interface VersionsRequest {
  readonly policyId: string;
  readonly first: number;
  readonly after?: string | null | undefined;
}

/** Policies that a caller may list. */
export interface PolicyVisibility {
  /** Experiments whose policy the caller may see; `*` for all. With both, those of all queues too. */
  readonly experiments: '*' | readonly string[];
  /** Experiments of whose tasks the caller may see the policies. */
  readonly tasksOf: '*' | readonly string[];
  readonly queues: readonly string[];
}

/** Fields of {@link PolicyView}. Contents may be large. */
const viewed = { 'enabled.content': 0 } as const;

/** Stored policies with their versions. */
export class PoliciesRepository {
  /** The enabled policies in memory. */
  readonly directory: PolicyMemory;
  readonly #policies: Collection<PolicyDocument>;
  readonly #versions: Collection<PolicyVersionDocument>;

  constructor(policies: Collection<PolicyDocument>, versions: Collection<PolicyVersionDocument>) {
    this.#policies = policies;
    this.#versions = versions;
    this.directory = new PolicyMemory(policies);
  }

  /** Policies by id, one entry per id. */
  async find(ids: readonly string[]): Promise<readonly (PolicyView | null)[]> {
    const filter = { _id: { $in: [...ids] } };
    return inOrder(ids, await this.#policies.find<PolicyView>(filter, { projection: viewed }).toArray());
  }

  /** Page of the policies that a caller may see, by id. */
  page(
    visibility: PolicyVisibility,
    page: { readonly first: number; readonly after?: string | null | undefined },
  ): Promise<KeysetPage<PolicyView>> {
    return keysetPage({
      collection: this.#policies as unknown as Collection<PolicyView>,
      filter: visibleFilter(visibility),
      order: [{ field: '_id', direction: 1 }],
      exclude: Object.keys(viewed),
      ...page,
    });
  }

  /** Newest version of a policy, or null. */
  newest(id: string): Promise<PolicyVersionDocument | null> {
    return this.#versions.findOne(versionsOf(id), { sort: { _id: -1 } });
  }

  /** Versions of policies by id of the version, one entry per id. */
  async versions(ids: readonly string[]): Promise<readonly (PolicyVersionDocument | null)[]> {
    return inOrder(ids, await this.#versions.find({ _id: { $in: [...ids] } }).toArray());
  }

  /** Pages of the versions of policies, newest first; read together. */
  pages(requests: readonly VersionsRequest[]): Promise<readonly KeysetPage<PolicyVersionDocument>[]> {
    return keysetPages(
      requests.map(({ policyId: id, ...request }) => ({
        collection: this.#versions,
        filter: versionsOf(id),
        order: [{ field: '_id', direction: -1 }],
        ...request,
      })),
    );
  }

  /** Adds a version with the next number. @returns null if others keep adding versions */
  async add(
    scope: PolicyScope & { readonly experiment?: string | undefined },
    version: NewVersion,
  ): Promise<PolicyVersionDocument | null> {
    const id = policyId(scope);
    for (let tries = 0; tries < maxTries; tries += 1) {
      const number = ((await this.newest(id))?.number ?? 0) + 1;
      const base = { schemaVersion: policySchemaVersion, revision: 1 };
      const document = { _id: versionId(id, number), ...base, policyId: id, number, ...version };
      try {
        await this.#versions.insertOne(document, majority);
      } catch (error) {
        if (isDuplicateKey(error)) continue;
        throw error;
      }
      await this.#record(scope, number, version.createdAt);
      return document;
    }
    return null;
  }

  /** Sets the version that applies; undefined for none. @returns the policy, or null if there is none */
  async enable(id: string, enabled: EnabledPolicy | undefined, now: Date): Promise<PolicyDocument | null> {
    const stored = await this.#policies.findOneAndUpdate(
      { _id: id },
      {
        $set: { updatedAt: now, applies: enabled !== undefined, ...(enabled ? { enabled } : {}) },
        ...(enabled ? {} : { $unset: { enabled: 1 as const } }),
        $inc: { revision: 1 },
      },
      { returnDocument: 'after', ...majority },
    );
    if (stored) this.directory.set(stored);
    return stored;
  }

  async #record(
    { kind, name, experiment }: PolicyScope & { readonly experiment?: string | undefined },
    number: number,
    now: Date,
  ): Promise<void> {
    const own = { kind, name, ...(experiment === undefined ? {} : { experiment }) };
    const stored = await this.#policies.findOneAndUpdate(
      { _id: policyId({ kind, name }) },
      {
        $max: { newest: number },
        $set: { updatedAt: now },
        $inc: { revision: 1 },
        $setOnInsert: { ...own, schemaVersion: policySchemaVersion, createdAt: now, applies: false },
      },
      { upsert: true, returnDocument: 'after', ...majority },
    );
    if (stored) this.directory.set(stored);
  }
}

/** One entry per id. */
function inOrder<T extends { readonly _id: string }>(
  ids: readonly string[],
  found: readonly T[],
): readonly (T | null)[] {
  const byId = new Map(found.map((one) => [one._id, one]));
  return ids.map((id) => byId.get(id) ?? null);
}

function visibleFilter({ experiments, tasksOf, queues }: PolicyVisibility): Filter<PolicyView> {
  if (experiments === '*' && tasksOf === '*') return {};
  const within = (names: '*' | readonly string[]) =>
    names === '*' ? {} : { experiment: { $in: [...names] } };
  return {
    $or: [
      { kind: 'EXPERIMENT', ...within(experiments) },
      { kind: 'TASK', ...within(tasksOf) },
      { _id: { $in: queues.map((name) => policyId({ kind: 'QUEUE', name })) } },
    ],
  };
}

/** `/` sorts directly before `0`. */
function versionsOf(id: string) {
  return { _id: { $gte: `${id}/`, $lt: `${id}0` } };
}
