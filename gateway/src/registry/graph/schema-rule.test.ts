import { describe, expect, it } from '@jest/globals';
import { cures } from '@rhizome/schema';
import { Kind } from 'graphql';
import { typeDefs } from '../../typeDefs.generated.js';
import { schemaRule } from './schema-rule.js';

const definition = typeDefs.definitions.find(
  (one) => one.kind === Kind.ENUM_TYPE_DEFINITION && one.name.value === 'SchemaRule',
);
const values =
  definition?.kind === Kind.ENUM_TYPE_DEFINITION
    ? (definition.values ?? []).map(({ name }) => name.value)
    : [];

describe('schemaRule', () => {
  it('has a value of the enum for every rule, and the enum has no others', () => {
    expect(Object.keys(cures).map(schemaRule).sort()).toEqual([...values].sort());
  });

  it('reads checks that were stored with a former name of a rule', () => {
    expect(schemaRule('shared-words')).toBe('SHARED_DEFINITION');
  });
});
