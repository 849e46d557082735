import { describe, expect, it } from '@jest/globals';
import { buildSchema, isObjectType, visit, visitWithTypeInfo, TypeInfo } from 'graphql';
import { readFileSync } from 'node:fs';
import { CliShowJobDocument } from '../operations.generated.js';

const schema = buildSchema(
  readFileSync(new URL('../../../../schema/public.graphql', import.meta.url), 'utf8'),
  { assumeValidSDL: true },
);

/** The fields of a type that the query of `rhizome show` selects. */
function selected(type: string): readonly string[] {
  const found: string[] = [];
  const typeInfo = new TypeInfo(schema);
  const visitor = visitWithTypeInfo(typeInfo, {
    Field: (node) => {
      if (typeInfo.getParentType()?.name === type) found.push(node.name.value);
    },
  });
  visit(CliShowJobDocument, visitor);
  return found.sort();
}

describe('rhizome show', () => {
  it.each([
    'JobRequirements',
    'GpuRequirement',
    'CudaRequirement',
    'RocmRequirement',
    'GpuPartition',
    'GpuTimeShare',
  ])('asks for every field of %s', (name) => {
    const type = schema.getType(name);
    expect(isObjectType(type)).toBe(true);
    const all = isObjectType(type) ? Object.keys(type.getFields()) : [];
    // A reference is left out where its name is a field of its own.
    const fields = all.filter((field) => !all.includes(`${field}Name`));
    expect(selected(name)).toEqual(fields.sort());
  });
});
