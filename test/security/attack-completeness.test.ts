// Every route of a gateway and every root field of the schema has its attacks.
import { describe, expect, it } from '@jest/globals';
import { routes } from '@rhizome/gateway';
import { groups } from './attack/groups.js';
import { roleCases } from './attack/role-cases.js';
import { publicSchema, rootFields } from './public-schema.js';

const covered = new Set(
  Object.values(groups)
    .flat()
    .flatMap(({ covers = [] }) => covers),
);
const fields = rootFields(publicSchema());

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
