import { describe, expect, it } from '@jest/globals';
import { defineCollection, type CollectionDeclaration } from './collection.js';

const declaration: CollectionDeclaration = {
  name: 'jobs',
  schemaVersion: 2,
  validator: { properties: { state: { bsonType: 'string' } }, required: ['state'] },
  indexes: [{ name: 'state_idx', keys: { state: 1 }, why: 'jobs(filter: {state})' }],
};

describe('defineCollection', () => {
  it('completes the validator: strict, versioned, with an id', () => {
    expect(defineCollection(declaration).validator).toEqual({
      bsonType: 'object',
      title: 'jobs v2',
      additionalProperties: false,
      required: ['_id', 'schemaVersion', 'state'],
      properties: {
        _id: { bsonType: 'string' },
        schemaVersion: { bsonType: 'int', minimum: 1, maximum: 2 },
        state: { bsonType: 'string' },
      },
    });
  });

  it.each<[string, Partial<CollectionDeclaration>, RegExp]>([
    ['a name of another form', { name: 'Job_list' }, /lower camel case/],
    ['no version', { schemaVersion: 0 }, /schemaVersion 0/],
    [
      'a validator that takes anything',
      { validator: { properties: {}, additionalProperties: true } },
      /unknown top-level fields/,
    ],
    [
      'an index without its query',
      { indexes: [{ name: 'a_idx', keys: { state: 1 }, why: ' ' }] },
      /which query/,
    ],
    [
      'an index on an unknown field',
      { indexes: [{ name: 'a_idx', keys: { stat: 1 }, why: 'x' }] },
      /unknown field stat/,
    ],
    [
      'an index twice',
      { indexes: [0, 1].map(() => ({ name: 'a_idx', keys: { state: 1 as const }, why: 'x' })) },
      /twice/,
    ],
    [
      'a unique index that does not say so',
      { indexes: [{ name: 'a_idx', keys: { state: 1 }, options: { unique: true }, why: 'x' }] },
      /_uq/,
    ],
  ])('rejects %s', (_what, change, reason) => {
    expect(() => defineCollection({ ...declaration, ...change })).toThrow(reason);
  });
});
