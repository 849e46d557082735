import { describe, expect, it } from '@jest/globals';
import { buildSchema, type DocumentNode, getOperationAST, parse } from 'graphql';
import type { OperationInfo } from '@rhizome/federation';
import { defaultLimits } from './limits.js';
import { isIntrospection, shapeChecks } from './operation-checks.js';

const schema = buildSchema('type Query { node: Node } type Node { node: Node id: ID }');

function info(text: string): OperationInfo {
  const document: DocumentNode = parse(text);
  return {
    kind: getOperationAST(document)?.operation ?? 'query',
    name: undefined,
    normalisedText: text,
    document,
    perPrincipal: false,
    resumable: undefined,
  };
}

function faults(text: string, limits: Partial<typeof defaultLimits>): string[] {
  const checks = shapeChecks({ ...defaultLimits, ...limits });
  return checks.flatMap((check) => check(info(text), schema)).map(({ message }) => message);
}

describe('shapeChecks', () => {
  it('counts depth through fragments, and not within introspection', () => {
    const nested = '{ node { ...A } } fragment A on Node { node { ... { node { id } } } }';
    expect(faults(nested, { depth: 4 })).toEqual([]);
    expect(faults(nested, { depth: 3 })).toEqual(['The operation has depth of 4; the limit is 3']);
    expect(faults('{ __schema { types { fields { type { ofType { name } } } } } }', { depth: 1 })).toEqual(
      [],
    );
  });

  it('measures many fragments that contain each other many times quickly', () => {
    const many = Array.from(
      { length: 60 },
      (_, i) => `fragment F${i} on Node { ...F${i + 1} ...F${i + 1} node { ...F${i + 1} } }`,
    );
    const text = `{ node { ...F0 } } ${many.join(' ')} fragment F60 on Node { id }`;
    // Walking each spread again would take 2^60 steps.
    expect(faults(text, { depth: 25 })).toEqual(['The operation has depth of 62; the limit is 25']);
  });

  it('counts root fields of fragments for each spread', () => {
    const text = '{ ...A ...A node { id } } fragment A on Query { a: node { id } b: node { id } }';
    expect(faults(text, { rootFields: 4 })).toEqual(['The operation has root fields of 5; the limit is 4']);
  });
});

describe('isIntrospection', () => {
  it.each([
    ['{ __schema { queryType { name } } }', true],
    ['query Q { ...F } fragment F on Query { __type(name: "A") { name } ... { __typename } }', true],
    ['{ __typename node { id } }', false],
    ['{ ...F } fragment F on Query { node { id } }', false],
    ['{ ... on Query { __schema: node { id } } }', false],
    ['subscription { __typename }', false],
  ])('returns for %s: %s', (text, expected) => {
    expect(isIntrospection(info(text))).toBe(expected);
  });
});

describe('the limit of credentials', () => {
  const errorsOf = (text: string): number => faults(text, {}).length;

  it('counts mutations that take a credential, wherever they are', () => {
    expect(errorsOf('mutation { redeemInvitation(code: "1") { x } }')).toBe(0);
    expect(
      errorsOf('mutation { a: redeemInvitation(code: "1") { x } b: redeemInvitation(code: "2") { x } }'),
    ).toBe(1);
    expect(
      errorsOf('mutation { ...F a: enrolWorker { x } } fragment F on Mutation { exchangeToken { x } }'),
    ).toBe(1);
    expect(errorsOf('{ a: redeemed { x } b: redeemed { x } }')).toBe(0);
  });
});
