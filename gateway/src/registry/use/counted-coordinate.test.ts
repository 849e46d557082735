import { describe, expect, it } from '@jest/globals';
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

describe('countedCoordinate', () => {
  it.each([
    ['Nest', 'Nest'],
    ['Nest.eggs', 'Nest.eggs'],
    ['Query.nests(height:)', 'Query.nests(height:)'],
    // These travel in variables, which are not inspected.
    ['NestInput.eggs', 'NestInput'],
    ['Height.LOW', 'Height'],
  ])('counts %s as %s', (text, countedAs) => {
    expect(countedCoordinate(text, sdl)).toEqual({ countedAs, isLive: true });
  });

  it.each([
    'Tree',
    'Nest.twigs',
    'Query.nests(depth:)',
    'NestInput.twigs',
    'Height.HIGH',
    'NestInput.eggs(a:)',
  ])('counts %s as itself if the graph does not have it, since it may have had it', (text) => {
    expect(countedCoordinate(text, sdl)).toEqual({ countedAs: text, isLive: false });
  });

  it.each(['', 'Nest.', 'Nest.eggs(a)', 'nest eggs', '@key'])('refuses the invalid coordinate %j', (text) => {
    expect(() => countedCoordinate(text, sdl)).toThrow(/coordinate: .* must be `Type`, `Type.field` or/);
  });
});
