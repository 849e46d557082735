// Every route of a gateway and every root field of the schema has its attacks.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { routes } from '@rhizome/gateway';
import { buildSchema, isObjectType } from 'graphql';
import { root } from '../e2e/system/playground-system.js';
import { groups } from './attack/groups.js';
import { roleCases } from './attack/role-cases.js';

const covered = new Set(
  Object.values(groups)
    .flat()
    .flatMap(({ covers = [] }) => covers),
);
const schema = buildSchema(readFileSync(join(root, 'schema', 'public.graphql'), 'utf8'));

/** Root fields, and the fields of the types that gather the queries of an experiment. */
const fields = Object.values(schema.getTypeMap()).flatMap((type) =>
  isObjectType(type) && /^(Query|Mutation|Subscription|[A-Z][A-Za-z]*Query)$/.test(type.name)
    ? Object.keys(type.getFields()).map((field) => `${type.name}.${field}`)
    : [],
);

describe('the list of attacks', () => {
  it('calls each route of a gateway', () => {
    expect(routes.length).toBeGreaterThan(15);
    expect(routes.filter((route) => !covered.has(route))).toEqual([]);
  });

  it('calls each root field of the schema', () => {
    expect(fields.length).toBeGreaterThan(100);
    expect(fields.filter((field) => !covered.has(field))).toEqual([]);
  });

  it('calls no field that does not exist', () => {
    const called = [...covered].filter((one) => /^\w+\.\w+$/.test(one));
    expect(called.filter((field) => !fields.includes(field))).toEqual([]);
  });

  it('calls each mutation by nobody and with each role', () => {
    const mutations = fields.filter((field) => field.startsWith('Mutation.'));
    const counts = mutations.map((field) => roleCases.filter(({ covers }) => covers?.includes(field)).length);
    expect(new Set(counts)).toEqual(new Set([9]));
  });
});
