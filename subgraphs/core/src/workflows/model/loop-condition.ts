/** Conditions of loops: CEL over the end of a node of the last iteration. */
import { Environment } from '@marcbachmann/cel-js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import { celCondition, type CelCondition, celLimits } from '../../shared/cel/cel-condition.js';
import { endedNodeStates, type StoredNodeState } from './workflow.types.js';

const environment = new Environment({ limits: celLimits })
  .registerVariable({
    name: 'result',
    schema: {
      state: 'string',
      exitCode: 'int',
      cpuSeconds: 'double',
      wallSeconds: 'double',
      peakMemoryMiB: 'int',
      readBytes: 'int',
      writeBytes: 'int',
      outputBytes: 'int',
    },
  })
  .registerVariable('iteration', 'int');

/** Checks and compiles a condition. @returns the expected form if it is refused */
export function loopCondition(text: string): CelCondition | { readonly expected: string } {
  return celCondition(environment, text, 'an iteration', 'result.exitCode == 0');
}

/** Checks that a condition is met for some end of a node. @returns the expected form if it is not */
export function neverMet(condition: CelCondition, text: string, maxIterations: number): string | undefined {
  // Values of other fields are unknown here.
  if (text.replaceAll(/\bresult\.state\b/g, '').includes('result')) return undefined;
  for (let iteration = maxIterations; iteration > 0; iteration -= 1)
    for (const state of endedNodeStates)
      if (condition.isMet({ result: { state }, iteration: BigInt(iteration) })) return undefined;
  return `a condition that is met for some state (${endedNodeStates.join(', ')}) and iteration (1 to ${maxIterations})`;
}

/** Fields of the job of a node that a condition reads. */
export type LoopJob = Pick<JobDocument, 'exitCode' | 'metrics' | 'outputs'>;

/** True if the condition holds; false if the node has not what it reads. */
export function isLoopDone(
  text: string,
  {
    state,
    job,
    iteration,
  }: { readonly state: StoredNodeState; readonly job: LoopJob | undefined; readonly iteration: number },
): boolean {
  const condition = loopCondition(text);
  if ('expected' in condition) return false;
  const { exitCode, metrics, outputs } = job ?? {};
  const result = {
    state,
    exitCode: whole(exitCode),
    cpuSeconds: metrics?.cpuSeconds,
    wallSeconds: metrics?.wallSeconds,
    peakMemoryMiB: whole(metrics?.peakMemoryMiB),
    readBytes: whole(metrics?.readBytes),
    writeBytes: whole(metrics?.writeBytes),
    outputBytes: whole(outputs?.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)),
  };
  const known = Object.fromEntries(Object.entries(result).filter(([, value]) => value !== undefined));
  return condition.isMet({ result: known, iteration: BigInt(iteration) });
}

function whole(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(Math.round(value));
}
