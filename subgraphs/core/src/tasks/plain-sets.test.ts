import { InputErrors } from '@rhizome/errors';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { checkJob } from '../jobs/submit/job-input.js';
import type { JobSpec } from '../jobs/submit/submit.types.js';
import { neededOf, plainSets } from './plain-sets.js';
import { fillIn, parametersOf, textsOf } from './template.js';
import type { JobInputErrorCode } from '../jobs/submit/job-input-error.types.js';

const anything = { selector: () => ({ ok: true }) as const, queue: () => undefined };
const shapeOf = (spec: JobSpec) => plainSets(spec, neededOf(parametersOf(textsOf(spec))));
const errorsOf = (spec: JobSpec): readonly object[] => {
  const errors = new InputErrors<JobInputErrorCode>();
  checkJob(spec, ['job'], errors, anything);
  return errors.all;
};
const filled = (spec: JobSpec, values: Readonly<Record<string, string>>): JobSpec => {
  const { name, payload } = fillIn(textsOf(spec), 999_999, values);
  return { ...spec, name, payload: { ...spec.payload, ...payload } };
};

const text = fc
  .array(
    fc.oneof(
      fc.constantFrom('{{a}}', '{{b}}', '{{index}}', '', ' ', 'ü', '/', '://', '//'),
      fc.string({ maxLength: 8 }),
      fc.integer({ min: 0, max: 400 }).map((length) => 'x'.repeat(length)),
    ),
    { maxLength: 5 },
  )
  .map((parts) => parts.join(''));
const template = fc.record({
  name: text,
  payload: fc.record({
    command: fc.constant('run'),
    arguments: fc.array(text, { maxLength: 4 }),
    environment: fc
      .array(text, { maxLength: 2 })
      .map((all) => all.map((value, at) => ({ name: `E${at}`, value }))),
    inputs: fc
      .array(text, { maxLength: 2 })
      .map((all) => all.map((location, at) => ({ name: `i${at}`, location }))),
    outputs: fc.array(text, { maxLength: 2 }),
  }),
});
const value = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.constantFrom('', '.', '..', 'a/b', 'a\nb', 'run-7', 'ü', 'root', 's3:'),
  fc.integer({ min: 1, max: 5000 }).map((length) => 'v'.repeat(length)),
);

describe('plainSets', () => {
  it('accepts only sets that make a well-formed job of every well-formed template', () => {
    let plain = 0;
    fc.assert(
      fc.property(template, value, value, (spec, a, b) => {
        fc.pre(errorsOf(spec).length === 0);
        const set = {
          parameters: [
            { name: 'a', value: a },
            { name: 'b', value: b },
          ],
        };
        if (!shapeOf(spec)(set)) return;
        plain += 1;
        expect(errorsOf(filled(spec, { a, b }))).toEqual([]);
      }),
      { numRuns: 3000 },
    );
    // Otherwise the test proves nothing.
    expect(plain).toBeGreaterThan(100);
  });

  const spec: JobSpec = { name: 'n', payload: { command: 'c', arguments: ['{{a}}'] } };
  const of = (parameters: Readonly<Record<string, string>>, dependsOn: readonly string[] = []) => ({
    parameters: Object.entries(parameters).map(([name, own]) => ({ name, value: own })),
    dependsOn,
  });

  it('accepts sets with the required and further parameters', () => {
    expect(shapeOf(spec)(of({ a: 'run-7' }))).toBe(true);
    expect(shapeOf(spec)(of({ a: 'run-7', other: '1' }))).toBe(true);
    expect(shapeOf(spec)(of({ other: '1' }))).toBe(false);
  });

  it.each<[string, ReturnType<typeof of>]>([
    ['an odd value', of({ a: 'a\0b' })],
    ['no value', of({ a: '' })],
    ['a value that is too long', of({ a: 'x'.repeat(4097) })],
    ['an odd name', of({ a: '1', 'b c': '1' })],
    ['the name of the position', of({ a: '1', index: '1' })],
    ['parents', of({ a: '1' }, ['#0'])],
    [
      'a name twice',
      { parameters: [...of({ a: '1' }).parameters, ...of({ a: '2' }).parameters], dependsOn: [] },
    ],
  ])('requires the full check of a set with %s', (_, set) => {
    expect(shapeOf(spec)(set)).toBe(false);
  });

  it.each<[string, JobSpec]>([
    ['a name without space for the position', { ...spec, name: 'n'.repeat(250) }],
    ['outputs with parameters', { ...spec, payload: { ...spec.payload, outputs: ['{{a}}'] } }],
    ...['{{a}}://host/x', '{{a}}//host/x', 's{{a}}://x'].map((location): [string, JobSpec] => [
      `the location ${location}, with a parameter in its scheme`,
      { ...spec, payload: { ...spec.payload, inputs: [{ name: 'i', location }] } },
    ]),
    ['a parameter whose name is too long', { ...spec, name: `{{${'a'.repeat(64)}}}` }],
  ])('requires the full check for a template with %s', (_, odd) => {
    const names = neededOf(parametersOf(textsOf(odd)));
    expect(shapeOf(odd)(of(Object.fromEntries(names.map((name) => [name, '1']))))).toBe(false);
  });
});
