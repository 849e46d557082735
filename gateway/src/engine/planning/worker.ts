// The planner's thread: see pool.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { createPlanner, type PlannerLimits } from './planner.js';
import type { PlanningCall, PlanningMessage } from './pool.js';

const { supergraphSdl, ...limits } = workerData as PlannerLimits & { supergraphSdl: string };
const planner = createPlanner(supergraphSdl, limits);
const send = (message: PlanningMessage): void => parentPort?.postMessage(message);

parentPort?.on('message', (message: PlanningCall) => {
  const { id } = message;
  try {
    const answer =
      message.call === 'validate'
        ? planner.validate(message.query, message.operationName)
        : planner.plan(message.request);
    send({ id, answer });
  } catch (error) {
    send({ id, failure: error instanceof Error ? error.message : String(error) });
  }
});
send({ started: { facts: planner.facts, overrides: planner.overrides } });
