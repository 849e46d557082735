/** Comparisons of what an observer gets from two systems: answers in any order of calls, and their times. */
import { describe, expect, it } from '@jest/globals';
import type { Role } from '@rhizome/authz';
import fc from 'fast-check';
import { steps } from '../foreign-calls.js';
import { answerOf, observers, type Side, type Step, untilEqual } from '../two-systems.js';
import { probabilityOfLonger, timesOf } from './answer-times.js';

/** The system without anything of other experiments, and the one with it. */
export type Sides = readonly [Side, Side];

/** Both answers. A query whose answers differ is asked again. */
function answersTo(sides: Sides, role: Role, step: Step): Promise<readonly string[]> {
  const read = async (): Promise<readonly string[]> => [
    await answerOf(sides[0], role, step),
    await answerOf(sides[1], role, step),
  ];
  return step.text.startsWith('mutation') ? read() : untilEqual(read);
}

/** Runs the script in both systems; returns the answers that differ. */
export async function differences(
  sides: Sides,
  role: Role,
  script: readonly Step[],
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const step of script) {
    const [empty, full = ''] = await answersTo(sides, role, step);
    if (empty !== full) found.push(`${role} ${step.name}\n  without: ${empty}\n  with:    ${full}`);
    if (/CANARY|canary/.test(full.replaceAll('canary=beta', ''))) found.push(`${step.name} shows ${full}`);
  }
  return found;
}

/** Compares answers to calls in random orders. */
export function orderTests(sides: () => Sides, numRuns: number): void {
  describe('observer without rights in another experiment', () => {
    it('gets equal answers in any order of calls', async () => {
      const script = fc.array(fc.constantFrom(...steps), { minLength: 3, maxLength: 10 });
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...observers), script, async (role, calls) => {
          expect(await differences(sides(), role, calls)).toEqual([]);
        }),
        { numRuns, endOnFailure: true },
      );
    });
  });
}

/** Objects that an observer may not see, by the query that looks for one. */
const lookUps: readonly (readonly [string, string, (side: Side) => string])[] = [
  ['a job', '{ job(id: $id) { id } }', ({ foreign }) => foreign.jobId],
  ['a task', '{ task(id: $id) { id } }', ({ foreign }) => foreign.taskId],
  ['a worker', '{ worker(id: $id) { id } }', ({ foreign }) => foreign.workerId],
  ['a bulk operation', '{ bulkOperation(id: $id) { id } }', ({ foreign }) => foreign.operationId],
  ['an observation', '{ larkspur { observation(id: $id) { id } } }', ({ foreign }) => foreign.observationId],
  ['an ATLAS task', '{ atlas { task(id: $id) { id } } }', ({ foreign }) => foreign.atlasTaskId],
  ['a workflow', '{ rubin { workflow(id: $id) { id } } }', ({ foreign }) => foreign.workflowId],
];

/** With 40 pairs, equal kinds are more than 0.35 from 0.5 once in some ten million rounds. */
const largestEffect = 0.35;
const rounds = 5;

/** Compares the times of answers about objects that do not exist, and that the observer may not see. */
export function timeTests(sides: () => Sides, pairs: number): void {
  describe('time of an answer', () => {
    it('is compared by ranks', () => {
      const [low, high] = [
        [1, 2, 3],
        [4, 5, 6],
      ];
      expect([probabilityOfLonger(low, high), probabilityOfLonger(high, low)]).toEqual([1, 0]);
      expect(probabilityOfLonger(low, low)).toBe(0.5);
    });

    it.each(lookUps)('is the same whether or not the object exists: %s', async (_name, selection, idOf) => {
      // The empty system has no such objects; both identifiers are asked of the other one.
      const { system, tokens } = sides()[1];
      const ids = sides().map(idOf);
      const text = `query ($id: ID!) ${selection}`;
      const ask = (kind: 0 | 1) => system.ask(text, { id: ids[kind] }, tokens.get('READER'));
      await timesOf(5, ask);
      const effects: number[] = [];
      while (effects.length < rounds) {
        const [missing, hidden] = await timesOf(pairs, ask);
        effects.push(Math.abs(probabilityOfLonger(missing, hidden) - 0.5));
        // A difference that the server makes is there in every round.
        if (Math.min(...effects) < largestEffect) break;
      }
      expect(Math.min(...effects)).toBeLessThan(largestEffect);
    });
  });
}
