import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fillIn, parametersOf, textsOf } from './template.js';

const texts = (name: string, ...args: string[]) =>
  textsOf({ name, payload: { command: 'c', arguments: args } });

describe('a template', () => {
  it('finds parameters in every text', () => {
    const found = parametersOf(
      textsOf({
        name: '{{a}}',
        payload: {
          command: '{{not}}',
          arguments: ['-x{{b}}{{b}}'],
          environment: [{ name: 'N', value: '{{c}}' }],
          inputs: [{ name: 'i', location: '/d/{{d}}' }],
          outputs: ['{{e}}.out'],
        },
      }),
    );
    expect([...found].sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('is filled in with the values and the position of one job', () => {
    expect(
      fillIn(texts('{{run}} part {{index}}', '{{run}}-{{index}}', '{{ run }}', '{{unknown}}'), 7, {
        run: 'r1',
      }),
    ).toMatchObject({
      name: 'r1 part 7',
      payload: { arguments: ['r1-7', '{{ run }}', '{{unknown}}'] },
    });
  });

  it('gives each job a unique name if the name does not use the position', () => {
    expect(fillIn(texts('work'), 3, {}).name).toBe('work 3');
    expect(fillIn(texts('{{x}}'), 3, { x: 'a' }).name).toBe('a 3');
  });

  it('inserts values literally, even if they look like a parameter or a pattern', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), (value, index) => {
        expect(fillIn(texts('n', 'a{{v}}b'), index, { v: value }).payload.arguments).toEqual([`a${value}b`]);
      }),
    );
    expect(fillIn(texts('n', '{{a}}'), 0, { a: '{{b}}$&$1', b: 'no' }).payload.arguments).toEqual([
      '{{b}}$&$1',
    ]);
  });
});
