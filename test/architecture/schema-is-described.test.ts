import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  type GraphQLSchema,
  buildSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedDirective,
  isSpecifiedScalarType,
} from 'graphql';
import { read } from './repository.js';

describe('descriptions of the public schema', () => {
  let schema: GraphQLSchema;
  beforeAll(() => {
    schema = buildSchema(read('schema/public.graphql'), { assumeValidSDL: true });
  });

  it('types, fields, arguments, input fields and enum values', () => {
    const roots = new Set(['Query', 'Mutation', 'Subscription']);
    const silent: string[] = [];
    const note = (where: string, element: { description?: string | null | undefined }) => {
      if (!element.description?.trim()) silent.push(where);
    };
    for (const type of Object.values(schema.getTypeMap())) {
      if (isIntrospectionType(type) || isSpecifiedScalarType(type)) continue;
      if (!roots.has(type.name)) note(type.name, type);
      if (isObjectType(type) || isInterfaceType(type)) {
        for (const field of Object.values(type.getFields())) {
          note(`${type.name}.${field.name}`, field);
          for (const argument of field.args) note(`${type.name}.${field.name}(${argument.name}:)`, argument);
        }
      }
      if (isInputObjectType(type))
        for (const field of Object.values(type.getFields())) note(`${type.name}.${field.name}`, field);
      if (isEnumType(type)) for (const value of type.getValues()) note(`${type.name}.${value.name}`, value);
    }
    expect(silent).toEqual([]);
    expect(Object.keys(schema.getTypeMap()).length).toBeGreaterThan(100);
  });

  it('directives of the system and their arguments', () => {
    const own = schema
      .getDirectives()
      .filter((directive) => !isSpecifiedDirective(directive) && directive.name !== 'oneOf');
    expect(own.map(({ name }) => name).sort()).toEqual(['incremental', 'perPrincipal', 'resumable']);
  });
});
