/** Stored document of an entry of the audit log. */
import { defineCollection } from '@rhizome/mongo';
import { type AuditEntry, auditKinds, auditResults } from '../chain/entry.js';

/** An entry as it is stored. It has no revision: it gets one outcome, and nothing else changes it. */
export type AuditEntryDocument = AuditEntry;

const text = { bsonType: 'string' };
const textOrNull = { bsonType: ['string', 'null'] };
const texts = (maxItems: number) => ({ bsonType: 'array', maxItems, items: text });

const link = {
  required: ['sequence', 'previous', 'hash'],
  properties: { sequence: { bsonType: ['int', 'long'], minimum: 1 }, previous: text, hash: text },
};

/** Entries of all processes. */
export const auditEntriesCollection = defineCollection<AuditEntryDocument>({
  name: 'auditEntries',
  schemaVersion: 1,
  validator: {
    required: ['chain', 'at', 'link', 'kind', 'action', 'experiment', 'targets', 'requestId', 'client'],
    properties: {
      chain: text,
      at: { bsonType: 'date' },
      link: { bsonType: 'object', ...link },
      kind: { enum: [...auditKinds] },
      action: text,
      actor: {
        bsonType: ['object', 'null'],
        required: ['kind', 'subject', 'human'],
        properties: {
          kind: text,
          subject: text,
          human: textOrNull,
          issuer: textOrNull,
          tokenId: textOrNull,
          tokenKind: textOrNull,
          worker: textOrNull,
        },
      },
      experiment: textOrNull,
      targets: {
        bsonType: 'object',
        required: ['count', 'ids', 'fields'],
        properties: {
          count: { bsonType: ['int', 'long'], minimum: 0 },
          ids: texts(20),
          fields: texts(50),
          digest: textOrNull,
          reason: text,
        },
      },
      requestId: text,
      client: {
        bsonType: 'object',
        required: ['name', 'version'],
        properties: { name: text, version: text, address: textOrNull },
      },
      repeats: { bsonType: ['int', 'long'], minimum: 1 },
      outcome: {
        bsonType: ['object', 'null'],
        required: ['result', 'codes', 'at'],
        properties: {
          result: { enum: [...auditResults] },
          codes: texts(20),
          at: { bsonType: 'date' },
          link: { bsonType: ['object', 'null'], ...link },
        },
      },
    },
  },
  indexes: [
    {
      name: 'chain_link.sequence_uq',
      keys: { chain: 1, 'link.sequence': 1 },
      options: { unique: true },
      why: 'one entry for each position of a chain; the last position of each chain; entries that retention removes',
    },
    {
      name: 'experiment_id_idx',
      keys: { experiment: 1, _id: -1 },
      why: 'the entries of an experiment, newest first',
    },
    {
      name: 'actor.subject_id_idx',
      keys: { 'actor.subject': 1, _id: -1 },
      why: 'the entries of a principal, newest first',
    },
    {
      name: 'actor.human_id_idx',
      keys: { 'actor.human': 1, _id: -1 },
      why: 'the entries of a human and of the agents that act for it, newest first',
    },
    { name: 'action_id_idx', keys: { action: 1, _id: -1 }, why: 'the entries of an action, newest first' },
    { name: 'kind_id_idx', keys: { kind: 1, _id: -1 }, why: 'refusals or logins, newest first' },
    { name: 'requestId_idx', keys: { requestId: 1 }, why: 'the entries of a request' },
    {
      name: 'targets.ids_id_idx',
      keys: { 'targets.ids': 1, _id: -1 },
      why: 'the entries that concern an object, newest first',
    },
  ],
});
