// The types of a mutation are named after it, and are its own: so each can grow without the others.
import { describe, expect, it } from '@jest/globals';
import { buildSchema, getNamedType, type GraphQLObjectType, isEnumType, isObjectType } from 'graphql';
import { read } from './repository.js';

const schema = buildSchema(read('schema/public.graphql'), { assumeValidSDL: true });
const mutations = Object.values(schema.getMutationType()?.getFields() ?? {});

describe('types of mutations', () => {
  it.each(mutations.map((field) => [field.name, field] as const))(
    'has its own input, payload, error and code types: %s',
    (name, { args, type }) => {
      const own = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
      expect(args.map((argument) => [argument.name, String(argument.type)])).toEqual([
        ['input', `${own}Input!`],
      ]);
      expect(String(type)).toBe(`${own}Payload!`);
      const errors = (getNamedType(type) as GraphQLObjectType).getFields()['userErrors'];
      expect(String(errors?.type)).toBe(`[${own}UserError!]!`);
      const error = errors && getNamedType(errors.type);
      const code = isObjectType(error) ? error.getFields()['code'] : undefined;
      expect(String(code?.type)).toBe(`${own}UserErrorCode!`);
      expect(isEnumType(code && getNamedType(code.type))).toBe(true);
    },
  );
});
