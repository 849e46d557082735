import { describe, expect, test } from '@jest/globals';
import { countedCoordinate } from './counted-coordinate.js';

const sdl = /* GraphQL */ `
  type Query {
    nests(height: Height): [Nest!]!
  }
  type Nest {
    eggs: Int
  }
  input NestInput {
    eggs: Int
  }
  enum Height {
    LOW
  }
`;

describe('a place of the schema is counted', () => {
  test.each([
    ['Nest', 'Nest'],
    ['Nest.eggs', 'Nest.eggs'],
    ['Query.nests(height:)', 'Query.nests(height:)'],
    // These travel in variables nobody counts.
    ['NestInput.eggs', 'NestInput'],
    ['Height.LOW', 'Height'],
  ])('%s as %s', (text, countedAs) => {
    expect(countedCoordinate(text, sdl)).toEqual({ countedAs, isLive: true });
  });

  test.each([
    'Tree',
    'Nest.twigs',
    'Query.nests(depth:)',
    'NestInput.twigs',
    'Height.HIGH',
    'NestInput.eggs(a:)',
  ])('%s as itself, though the graph does not have it: it may have had it', (text) => {
    expect(countedCoordinate(text, sdl)).toEqual({ countedAs: text, isLive: false });
  });

  test.each(['', 'Nest.', 'Nest.eggs(a)', 'nest eggs', '@key'])('%j is refused as none', (text) => {
    expect(() => countedCoordinate(text, sdl)).toThrow(/coordinate: .* expected `Type`, `Type.field` or/);
  });
});
