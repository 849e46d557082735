import { describe, expect, it } from '@jest/globals';
import { parse } from 'graphql';
import { submittedJobs } from './submitted-jobs.js';

const count = (text: string, variables = {}, kind: 'mutation' | 'query' = 'mutation'): number =>
  submittedJobs({ kind, document: parse(text) }, variables);

describe('submittedJobs', () => {
  it.each<[string, string, object, number]>([
    [
      'the jobs of a variable',
      'mutation ($i: I!) { submitJobs(input: $i) { x } }',
      { i: { jobs: [1, 2, 3] } },
      3,
    ],
    ['the jobs of a literal', 'mutation { submitJobs(input: { jobs: [{}, {}] }) { x } }', {}, 2],
    ['the count of a task', 'mutation { submitTask(input: { jobs: { count: 500 } }) { x } }', {}, 500],
    [
      'the parameter sets of a task',
      'mutation ($p: [P!]) { submitTask(input: { jobs: { parameterSets: $p } }) { x } }',
      { p: [{}, {}, {}, {}] },
      4,
    ],
    [
      'all fields',
      'mutation { a: submitJobs(input: { jobs: [1] }) { x } b: submitJobs(input: { jobs: [1, 2] }) { x } }',
      {},
      3,
    ],
    ['one for a submission without a list', 'mutation { submitAlphaJob(input: { run: 5 }) { x } }', {}, 1],
    ['nothing for other mutations', 'mutation { cancelJobs(input: { ids: [1, 2] }) { x } }', {}, 0],
  ])('counts %s', (_what, text, variables, expected) => expect(count(text, variables)).toBe(expected));
});
