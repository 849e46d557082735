/** Stored form of policies and their versions. */
import { baseFields, defineCollection } from '@rhizome/mongo';
import type { PolicyContent, PolicyScope } from './policy.types.js';

/** Version of a policy that applies now. It has the rules, so that deciding needs no other read. */
export interface EnabledPolicy {
  readonly version: number;
  /** Subject that enabled it. */
  readonly by: string;
  readonly at: Date;
  readonly content: PolicyContent;
}

/** Policy of an experiment, a queue or a task. */
export interface PolicyDocument extends PolicyScope {
  /** See {@link policyId}. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** The experiment, or that of the task. */
  readonly experiment?: string;
  /** Number of the newest version. */
  readonly newest: number;
  readonly enabled?: EnabledPolicy;
  /** True if a version is enabled. */
  readonly applies: boolean;
}

/** A policy without the content of its enabled version. */
export interface PolicyView extends Omit<PolicyDocument, 'enabled'> {
  readonly enabled?: Omit<EnabledPolicy, 'content'>;
}

/** Version of a policy; never changed. */
export interface PolicyVersionDocument {
  /** See {@link versionId}. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly policyId: string;
  readonly number: number;
  /** Subject that wrote it. */
  readonly author: string;
  readonly comment?: string;
  readonly content: PolicyContent;
}

/** Id of the policy of a scope. */
export function policyId({ kind, name }: PolicyScope): string {
  return `${kind.toLowerCase()}/${name}`;
}

/** Largest number of a version. */
export const mostVersions = 999_999;

/** Id of a version: sorts by number. */
export function versionId(id: string, number: number): string {
  return `${id}/${String(number).padStart(6, '0')}`;
}

/** Version of the stored forms. */
export const policySchemaVersion = 1;

/** Policies. Every process holds those of experiments and queues in memory. */
export const policiesCollection = defineCollection<PolicyDocument>({
  name: 'policies',
  schemaVersion: policySchemaVersion,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'kind', 'name', 'newest', 'applies'],
    properties: {
      ...baseFields,
      kind: { enum: ['EXPERIMENT', 'QUEUE', 'TASK'] },
      name: { bsonType: 'string' },
      experiment: { bsonType: 'string' },
      newest: { bsonType: 'int', minimum: 0 },
      enabled: { bsonType: 'object', required: ['version', 'by', 'at', 'content'] },
      applies: { bsonType: 'bool' },
    },
  },
  indexes: [
    {
      name: 'kind_applies_idx',
      keys: { kind: 1, applies: 1, _id: 1 },
      why: 'newest tasks with enabled policies, without their contents',
    },
    {
      name: 'kind_experiment_idx',
      keys: { kind: 1, experiment: 1, _id: 1 },
      why: 'policies of the experiments that a person may see, by id',
    },
  ],
});

/** Versions, found by ranges of their ids. */
export const policyVersionsCollection = defineCollection<PolicyVersionDocument>({
  name: 'policyVersions',
  schemaVersion: policySchemaVersion,
  validator: {
    required: ['revision', 'createdAt', 'policyId', 'number', 'author', 'content'],
    properties: {
      revision: baseFields.revision,
      createdAt: baseFields.createdAt,
      policyId: { bsonType: 'string' },
      number: { bsonType: 'int', minimum: 1 },
      author: { bsonType: 'string' },
      comment: { bsonType: 'string', maxLength: 500 },
      content: { bsonType: 'object' },
    },
  },
});
