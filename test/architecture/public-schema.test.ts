/** Conventions of the public schema: what a client of one connection has learned holds for all others. */
import { describe, expect, it } from '@jest/globals';
import {
  buildSchema,
  type GraphQLArgument,
  type GraphQLObjectType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
} from 'graphql';
import { read } from './repository.js';

const schema = buildSchema(read('schema/public.graphql'));
const types = Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith('__'));
const objects = types.filter(isObjectType);
const fieldsOf = (type: GraphQLObjectType) =>
  Object.fromEntries(Object.values(type.getFields()).map((field) => [field.name, String(field.type)]));

/** Arguments of a field; fields of inputs have none. */
const argumentsOf = (field: object): readonly GraphQLArgument[] =>
  'args' in field ? (field.args as readonly GraphQLArgument[]) : [];

describe('descriptions', () => {
  it('never begin with Whether, What, Why, How or Who', () => {
    const described = types.flatMap((type) => [
      { place: type.name, description: type.description },
      ...(isObjectType(type) || isInterfaceType(type) || isInputObjectType(type)
        ? Object.values(type.getFields()).flatMap((field) => [
            { place: `${type.name}.${field.name}`, description: field.description },
            ...argumentsOf(field).map(({ name, description }) => ({
              place: `${type.name}.${field.name}(${name}:)`,
              description,
            })),
          ])
        : []),
      ...(isEnumType(type)
        ? type.getValues().map(({ name, description }) => ({ place: `${type.name}.${name}`, description }))
        : []),
    ]);
    expect(described.length).toBeGreaterThan(1000);
    const others = described.filter(({ description }) =>
      /^(Whether|What|Why|How|Who)\b/.test(description ?? ''),
    );
    expect(others).toEqual([]);
  });
});

describe('Boolean fields', () => {
  it('always have a name that is a statement, in outputs, inputs and arguments', () => {
    const isBoolean = ({ type }: { readonly type: unknown }) => /^Boolean!?$/.test(String(type));
    const named = types.flatMap((type) => {
      if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) return [];
      return Object.values(type.getFields()).flatMap((field) => [
        ...(isBoolean(field) ? [[`${type.name}.${field.name}`, field.name] as const] : []),
        ...argumentsOf(field)
          .filter(isBoolean)
          .map(
            ({ name }: { readonly name: string }) => [`${type.name}.${field.name}(${name}:)`, name] as const,
          ),
      ]);
    });
    expect(named.length).toBeGreaterThan(30);
    const others = named.filter(([, name]) => !/^(is|has|can|viewerCan)[A-Z]/.test(name));
    expect(others.map(([place]) => place)).toEqual([]);
  });
});

describe('connections', () => {
  const connections = objects.filter(({ name }) => name.endsWith('Connection'));

  it.each(connections.map((type) => [type.name, type] as const))(
    'follows the Relay specification: %s',
    (name, type) => {
      const node = name.replace(/Connection$/, '');
      expect(fieldsOf(type)).toEqual({
        edges: `[${node}Edge!]!`,
        nodes: `[${node}!]!`,
        pageInfo: 'PageInfo!',
        totalCount: 'Int',
      });
      expect(Object.keys(fieldsOf(type))).toEqual(['edges', 'nodes', 'pageInfo', 'totalCount']);
      const edge = schema.getType(`${node}Edge`);
      if (!isObjectType(edge)) throw new Error(`${node}Edge is missing`);
      expect(Object.entries(fieldsOf(edge))).toEqual([
        ['cursor', 'String!'],
        ['node', `${node}!`],
      ]);
    },
  );

  it('has a page information with all four fields', () => {
    expect(fieldsOf(schema.getType('PageInfo') as GraphQLObjectType)).toEqual({
      hasNextPage: 'Boolean!',
      hasPreviousPage: 'Boolean!',
      startCursor: 'String',
      endCursor: 'String',
    });
  });

  it('is the type of every field that takes `first`', () => {
    const paged = types
      .filter((type) => isObjectType(type) || isInterfaceType(type))
      .flatMap((type) => Object.values(type.getFields()).map((field) => ({ type, field })))
      .filter(({ field }) => field.args.some(({ name }) => name === 'first'));
    expect(paged.length).toBeGreaterThan(10);
    const others = paged.filter(
      ({ field }) =>
        !/Connection!?$/.test(String(field.type)) || !field.args.some(({ name }) => name === 'after'),
    );
    // A log is followed live from the end of a page, also of an empty one: its cursor is never null.
    expect(others.map(({ type, field }) => `${type.name}.${field.name}: ${field.type}`)).toEqual([
      'Job.log: JobLogPage!',
    ]);
  });
});
