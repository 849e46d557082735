import { describe, expect, it } from '@jest/globals';
import { readText } from './source.js';
import type { Path } from './source.types.js';

const placeOf = (text: string, path: Path): string => {
  const source = readText('file', text);
  if ('faults' in source) throw new Error(source.faults.map(({ problem }) => problem).join());
  const [place] = source.placesOf([path]);
  return `${place?.line}:${place?.column}`;
};

describe('places in JSON', () => {
  const text = '{"a": [1,\n  {"b\\n": "x\\"]", "c": [[], {}]},\n 3],\n "d": {"e": true}}';

  it.each([
    [[], '1:1'],
    [['a'], '1:2'],
    [['a', 0], '1:8'],
    [['a', 1], '2:3'],
    [['a', 1, 'b\n'], '2:4'],
    [['a', 1, 'c', 1], '2:29'],
    [['a', 2], '3:2'],
    [['d', 'e'], '4:8'],
  ] as const)('finds %j at %s', (path, place) => {
    expect(placeOf(text, path)).toBe(place);
  });

  it('gives the place of what contains a value that does not exist', () => {
    expect(placeOf(text, ['d', 'none', 1])).toBe('4:2');
    expect(placeOf(text, ['a', 7])).toBe('1:2');
  });

  it('finds the last of two members with the same name, whose value is read', () => {
    expect(placeOf('{"a": 1, "a": 2}', ['a'])).toBe('1:10');
  });

  it('finds values that are nested deeply', () => {
    const deep = `{"a": ${'['.repeat(100_000)}${']'.repeat(100_000)}, "b": 1}`;
    expect(placeOf(deep, ['b'])).toBe('1:200009');
  });
});

describe('places in YAML', () => {
  const text = 'a:\n  - 1\n  - &x { b: 2, c: [3, 4] }\nd:\n  e: *x\n';

  it.each([
    [['a'], '1:1'],
    [['a', 1], '3:8'],
    [['a', 1, 'c', 1], '3:23'],
    [['d', 'e'], '5:3'],
    [['d', 'e', 'b'], '3:10'],
    [['d', 'none'], '4:1'],
  ] as const)('finds %j at %s', (path, place) => {
    expect(placeOf(text, path)).toBe(place);
  });
});

describe('readText', () => {
  const faultOf = (text: string): unknown => {
    const source = readText('file', text);
    return 'faults' in source ? source.faults : undefined;
  };

  it('reports the first error of a text that is neither', () => {
    const [fault, ...more] = faultOf('a: 1\nb: [2\n') as readonly { place: unknown; problem: string }[];
    expect(more).toEqual([]);
    expect(fault?.problem).toMatch(/^not YAML: Flow sequence/);
    expect(fault?.place).toEqual({ file: 'file', line: 3, column: 1 });
  });

  it('refuses aliases that grow without end', () => {
    const levels = Array.from({ length: 12 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n}, `.repeat(9)}]`);
    expect(faultOf(['a0: &a0 [x]', ...levels].join('\n'))).toMatchObject([
      { problem: expect.stringMatching(/Excessive alias count/) },
    ]);
  });

  it('refuses YAML that is nested too deeply', () => {
    expect(faultOf(`a: ${'['.repeat(20_000)}`)).toBeDefined();
  });
});
